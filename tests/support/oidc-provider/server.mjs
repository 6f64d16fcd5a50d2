// SPDX-License-Identifier: MIT
//
// A real OpenID Connect provider on a free port of 127.0.0.1. SIGHUP makes it sign with a new key; it
// still publishes the previous key. It prints its issuer, one line on standard output, when it is
// ready after the start and after each SIGHUP. The client alice, whose secret is "secret", gets
// tokens for herself (grant type client_credentials).

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const keys = [];
let handle;

function rotate(issuer) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    keys.unshift({ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' });
    keys.splice(2);
    const provider = new Provider(issuer, {
        jwks: { keys },
        clients: [{
            client_id: 'alice',
            client_secret: 'secret',
            grant_types: ['client_credentials'],
            response_types: [],
            redirect_uris: [],
        }],
        features: {
            clientCredentials: { enabled: true },
            devInteractions: { enabled: false },
            resourceIndicators: {
                enabled: true,
                // Makes the access tokens JWTs.
                defaultResource: () => 'https://kheops.example',
                getResourceServerInfo: () => ({
                    scope: '',
                    audience: 'kheops',
                    accessTokenFormat: 'jwt',
                    accessTokenTTL: 3600,
                    jwt: { sign: { alg: 'RS256', kid: keys[0].kid } },
                }),
            },
        },
        ttl: { ClientCredentials: 3600 },
    });
    handle = provider.callback();
    console.log(issuer);
}

const server = createServer((request, response) => handle(request, response));
server.listen(0, '127.0.0.1', () => {
    const issuer = `http://127.0.0.1:${server.address().port}`;
    rotate(issuer);
    process.on('SIGHUP', () => rotate(issuer));
});
