// SPDX-License-Identifier: MIT
//
// validate.mjs DOCUMENT recorded CASES: validates the answers of tests/recorded/cases.json.
// validate.mjs DOCUMENT answers FILE: validates answers that tests/support/http_client.cpp has recorded.
//
// Prints each problem once and exits with 1 if there is one. Objects may have no member that the document
// does not name, although it allows later versions to add some. A body's schema is checked by Ajv.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import addFormats from 'ajv-formats';
import Ajv from 'ajv/dist/2020.js';
import { parse } from 'yaml';

const kPath = '/albums/{album_id}/webhooks';
const kTarget = /^(\/api)?\/albums\/[^/?]*\/webhooks\/?(\?|$)/;
// What HTTP and nginx add to any answer, and Content-Type, which is checked with the body.
const kGeneral = new Set(['connection', 'content-encoding', 'content-length', 'content-type', 'server',
  'transfer-encoding']);

const [, , documentFile, kind, answersFile] = process.argv;
const document = parse(readFileSync(documentFile, 'utf8'));
const item = document.paths[kPath];
const methods = Object.keys(item).filter((key) => key !== 'parameters').map((key) => key.toUpperCase());
const problems = new Map();
const seen = new Set();

function resolve(node) {
  return node?.$ref?.slice('#/'.length).split('/').reduce((at, name) => at[name], document) ?? node;
}

function closed(schema) {
  if (schema === null || typeof schema !== 'object') return schema;
  const copy = Array.isArray(schema) ? schema.map(closed)
    : Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  return schema.type === 'object' ? { ...copy, additionalProperties: false } : copy;
}

const ajv = new Ajv({ allErrors: true });
addFormats(ajv);
ajv.addVocabulary(['components']);
ajv.addSchema({ $id: 'https://document/', components: { schemas: closed(document.components.schemas) } });
const validators = new Map();

// What is wrong with the value; empty if nothing is. References in a schema are to the document.
function violations(schema, value) {
  if (!validators.has(schema)) {
    validators.set(schema, ajv.compile({ $id: `https://document/?${validators.size}`,
      ...JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"https://document/#/')) }));
  }
  const validate = validators.get(schema);
  return validate(value) ? [] : validate.errors.map((error) =>
    `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
}

function headerViolations(header, text) {
  const schema = resolve(header).schema;
  return violations(schema, schema.type === 'integer' && /^\d+$/.test(text) ? Number(text) : text);
}

// The response that the document has for this status. It has none for other methods than its own; what
// they get stands among the answers to GET.
function documented(method, status, problem) {
  const known = methods.includes(method);
  const response = resolve(item[known ? method.toLowerCase() : 'get'].responses[status]);
  if (!response || (!known && status < 400) || (known && status === 405)) {
    problem('the document does not have this status');
    return undefined;
  }
  seen.add(`${known ? method : 'GET'} ${status}`);
  return response;
}

function checkHeaders(response, headers, problem) {
  for (const [name, header] of Object.entries(response.headers)) {
    const values = headers.filter(([other]) => other.toLowerCase() === name.toLowerCase());
    if (values.length > 1) problem(`the header ${name} occurs ${values.length} times`);
    if (values.length === 0 && resolve(header).required) problem(`the header ${name} is missing`);
    for (const [, text] of values) {
      for (const violation of headerViolations(header, text)) {
        problem(`the header ${name}: ${text}: ${violation}`);
      }
    }
  }
  const names = Object.keys(response.headers).map((name) => name.toLowerCase());
  for (const [name] of headers) {
    if (!kGeneral.has(name.toLowerCase()) && !names.includes(name.toLowerCase())) {
      problem(`the document does not have the header ${name}`);
    }
  }
}

function checkBody(response, contentType, octets, problem) {
  if (!response.content) {
    if (octets.length > 0) problem('there is a body');
    return;
  }
  const content = response.content[contentType];
  if (!content) {
    problem(`the document does not have the Content-Type ${contentType}`);
    return;
  }
  let body;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets));
  } catch (error) {
    problem(`the body is not JSON in UTF-8: ${error.message}`);
    return;
  }
  violations(content.schema, body).forEach(problem);
  const messages = Object.values(content.examples).map(({ value }) => value.message);
  if (!Array.isArray(body) && !messages.includes(body.message)) {
    problem(`no example has the message ${JSON.stringify(body.message)}`);
  }
}

// Returns a function that collects problems, each with the first answer that has it.
function reporter(method, target, status) {
  return (text) => {
    const problem = `${status}: ${text}`;
    if (!problems.has(problem)) problems.set(problem, `${method} ${target}: ${problem}`);
  };
}

// Of the headers, Kheops and this program have X-Total-Count in common. Where the contract asks for
// another answer, or Kheops sent HTML, only the status counts.
function checkRecorded({ method, target, status, contract, response_headers: headers, body }) {
  const problem = reporter(method, target, status);
  const response = documented(method, contract?.status ?? status, problem);
  if (!response || contract || body === null) return;
  if (method !== 'HEAD') {
    checkBody(response, headers['content-type'].split(';')[0], Buffer.from(body), problem);
  }
  const total = headers['x-total-count'];
  const { 'X-Total-Count': header } = response.headers;
  if ((total === undefined) !== (header === undefined)) problem('X-Total-Count');
  if (header) headerViolations(header, total).forEach(problem);
}

function checkAnswer({ method, target, status, headers, body }) {
  const problem = reporter(method, target, status);
  const response = documented(method, status, problem);
  if (!response) return;
  checkHeaders(response, headers, problem);
  const header = (name) => headers.find(([other]) => other.toLowerCase() === name)?.[1];
  const octets = Buffer.from(body, 'base64url');
  if (method === 'HEAD') {
    if (octets.length > 0) problem('there is a body');
  } else {
    checkBody(response, header('content-type'),
      header('content-encoding') === 'gzip' ? gunzipSync(octets) : octets, problem);
  }
}

for (const [name, header] of Object.entries(document.components.headers)) {
  if (header.example !== undefined) {
    headerViolations(header, String(header.example)).forEach(reporter('components', 'headers', name));
  }
}

const text = readFileSync(answersFile, 'utf8');
if (kind === 'recorded') {
  JSON.parse(text).forEach(checkRecorded);
} else {
  text.split('\n').filter(Boolean).map((line) => JSON.parse(line))
    .filter(({ target }) => kTarget.test(target)).forEach(checkAnswer);
}

const all = methods.flatMap((method) =>
  Object.keys(item[method.toLowerCase()].responses).map((status) => `${method} ${status}`));
console.log(`seen: ${[...seen].sort().join(', ')}`);
console.log(`not seen: ${all.filter((one) => !seen.has(one)).join(', ')}`);
for (const problem of problems.values()) console.error(problem);
process.exit(problems.size > 0 ? 1 : 0);
