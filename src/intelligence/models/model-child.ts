/**
 * The process that runs models of users: a model that crashes, hangs or eats memory ends this process and nothing
 * else. Started by model-host.ts with the address of onnxruntime-node; talks over the process channel only.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

export interface ModelTensor {
  readonly name: string;
  /** As ONNX Runtime names it: `float32`, `float64`, `int64`, ... */
  readonly type: string;
  /** Sizes, and -1 where any size is taken. */
  readonly shape: readonly number[];
}
export interface ModelInfo {
  readonly sha256: string;
  readonly bytes: number;
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
}
export type ChildRequest =
  | { readonly id: number; readonly op: 'info'; readonly file: string }
  | {
      readonly id: number;
      readonly op: 'run';
      readonly file: string;
      /** Content the caller knows; another content is loaded anew. */
      readonly sha256: string;
      readonly input: string;
      readonly type: string;
      readonly dims: readonly number[];
      readonly values: Float64Array;
      readonly output: string;
    };
export type ChildAnswer =
  | { readonly id: number; readonly result: ModelInfo | Float64Array }
  | { readonly id: number; readonly error: string };

/** Models held; the one used longest ago goes. */
const SESSIONS_MAX = 16;

interface Session {
  readonly inputMetadata: readonly Metadata[];
  readonly outputMetadata: readonly Metadata[];
  run(feeds: Record<string, unknown>, fetches: readonly string[]): Promise<Record<string, { data: ArrayLike<number> }>>;
  release(): Promise<void>;
}
interface Metadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}
interface Runtime {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => unknown;
}

const held = new Map<string, { readonly info: ModelInfo; readonly session: Session }>();

async function open(runtime: Runtime, file: string): Promise<{ readonly info: ModelInfo; readonly session: Session }> {
  const content = readFileSync(file);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const known = held.get(sha256);
  if (known) {
    held.delete(sha256);
    held.set(sha256, known);
    return known;
  }
  const session = await runtime.InferenceSession.create(content, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const tensors = (list: readonly Metadata[]): ModelTensor[] =>
    list.map((m) => ({
      name: m.name,
      type: m.isTensor ? (m.type ?? 'unknown') : 'no tensor',
      shape: (m.shape ?? []).map((d) => (typeof d === 'number' && d > 0 ? d : -1)),
    }));
  const info = {
    sha256,
    bytes: content.length,
    inputs: tensors(session.inputMetadata),
    outputs: tensors(session.outputMetadata),
  };
  const entry = { info, session };
  held.set(sha256, entry);
  if (held.size > SESSIONS_MAX) {
    const [oldest, gone] = held.entries().next().value!;
    held.delete(oldest);
    await gone.session.release();
  }
  return entry;
}

async function answer(runtime: Runtime, request: ChildRequest): Promise<ModelInfo | Float64Array> {
  const { info, session } = await open(runtime, request.file);
  if (request.op === 'info') return info;
  if (info.sha256 !== request.sha256) throw new Error('the file has changed; it is looked at anew');
  const data = request.type === 'float32' ? Float32Array.from(request.values) : request.values;
  const feeds = { [request.input]: new runtime.Tensor(request.type, data, request.dims) };
  const out = (await session.run(feeds, [request.output]))[request.output];
  if (!out) throw new Error(`the model gave no output ${JSON.stringify(request.output)}`);
  return Float64Array.from(out.data, Number);
}

if (process.send) {
  const runtime = createRequire(import.meta.url)(process.argv[2]!) as Runtime;
  process.on('message', (request: ChildRequest) => {
    answer(runtime, request).then(
      (result) => process.send!({ id: request.id, result } satisfies ChildAnswer),
      (error: unknown) =>
        process.send!({
          id: request.id,
          error: error instanceof Error ? error.message : String(error),
        } satisfies ChildAnswer),
    );
  });
  // the server is gone: so is whoever asks
  process.on('disconnect', () => process.exit(0));
}
