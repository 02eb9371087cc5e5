/** ONNX Runtime for the tests that run models, where scripts/install-peers.sh puts it. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { PEERS_DIR } from './peers.ts';

const folder = path.join(PEERS_DIR, 'onnx/node_modules/onnxruntime-node');
export const onnxRuntime: string | undefined = existsSync(path.join(folder, 'package.json')) ? folder : undefined;

/** For `describe.skipIf(...)`: true when absent, but in CI it throws, for nothing may be skipped there. */
export function onnxMissing(): boolean {
  if (onnxRuntime !== undefined) return false;
  if (process.env['CI'] === 'true') throw new Error('onnxruntime-node is not installed; in CI nothing is skipped');
  console.warn('skipped: models of users, for onnxruntime-node is not installed (scripts/install-peers.sh)');
  return true;
}
