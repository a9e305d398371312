// The modules of the chat page, for Node.js: without a package.json beside them they would not count as modules everywhere, so
// they are read from a copy that has one.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'millrace-page-'));
cpSync(fileURLToPath(new URL('../../../../src/admin/pages/chat/', import.meta.url)), folder, { recursive: true });
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

export const load = (name) => import(pathToFileURL(join(folder, name)));
