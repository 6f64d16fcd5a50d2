// SPDX-License-Identifier: MIT
//
// client.ts URL TOKEN: a client with the types that openapi-typescript generates from docs/openapi.yaml.
// It prints the names of the webhooks on all pages of DemoAlbum1, and what an unknown album gets.
// The compiler refuses this file if a line below `@ts-expect-error` has no error.
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

declare const process: { argv: string[] };

type Webhook = components['schemas']['Webhook'];

const [url, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });
const path = '/albums/{album_id}/webhooks';

async function page(offset: number): Promise<Webhook[]> {
  const { data, error } = await client.GET(path, {
    params: { path: { album_id: 'DemoAlbum1' }, query: { limit: 2, offset } },
  });
  if (!data) throw new Error(error.detail);
  return data;
}

for (let offset = 0, webhooks = await page(0); webhooks.length > 0; webhooks = await page(offset)) {
  for (const { name, number_of_triggers, last_triggers } of webhooks) {
    const newest: 'pass' | 'fail' | undefined = last_triggers?.[0]?.status;
    console.log(`${name}: ${number_of_triggers}, ${newest ?? 'none'}`);
  }
  offset += webhooks.length;
}

const { error, response } = await client.GET(path, { params: { path: { album_id: 'NoSuchAlb1' } } });
console.log(`${response.status} ${error?.message}`);

export function misuse(webhook: Webhook): void {
  // @ts-expect-error: there is no such member
  webhook.secret;
  // @ts-expect-error: there may be no trigger
  webhook.last_triggers.length;
  // @ts-expect-error: there is no such event
  webhook.events.includes('new_album');
  // @ts-expect-error: the album is missing
  void client.GET(path, { params: { query: { limit: 2 } } });
  // @ts-expect-error: there is no such parameter
  void client.GET(path, { params: { path: { album_id: 'DemoAlbum1' }, query: { page: 2 } } });
  // @ts-expect-error: the limit is a number
  void client.GET(path, { params: { path: { album_id: 'DemoAlbum1' }, query: { limit: 'all' } } });
  // @ts-expect-error: there is no such method
  void client.POST(path, { params: { path: { album_id: 'DemoAlbum1' } } });
}
