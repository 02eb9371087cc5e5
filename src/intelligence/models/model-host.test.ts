/** Real models by the real ONNX Runtime, in its own process; what the models should say comes from scikit-learn and numpy. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { onnxMissing, onnxRuntime } from '../../../test/support/onnx.ts';
import { temporaryFolder } from '../../../test/support/peers.ts';
import { systemClock } from '../../lib/clock.ts';
import { tenantId } from '../../model/tenant.ts';
import { checkDetectors, type ModelConfig } from '../config.ts';
import { ModelHost, type ModelHostOptions } from './model-host.ts';
import { shapeOf } from './model-shape.ts';

const FIXTURES = path.join(import.meta.dirname, 'fixtures');
const EXPECTED = JSON.parse(readFileSync(path.join(FIXTURES, 'expected.json'), 'utf8')) as Record<
  string,
  { readonly rows: number[][]; readonly wanted: (number | number[])[] }
>;
const A = tenantId('acme');
const B = tenantId('zeta');
const config = (over: object): ModelConfig =>
  (
    checkDetectors(
      {
        version: 1,
        detectors: [{ name: 'd', kind: 'anomaly', expr: 'x', model: { file: 'm.onnx', window: 8, ...over } }],
      },
      'f.yml',
    )[0] as { model: ModelConfig }
  ).model;

function hostIn(folder: string, over: Partial<ModelHostOptions> = {}): ModelHost {
  const own = path.join(folder, 'acme');
  mkdirSync(own, { recursive: true });
  for (const f of ['isolation', 'ahead', 'network'])
    copyFileSync(path.join(FIXTURES, `${f}.onnx`), path.join(own, `${f}.onnx`));
  return new ModelHost({
    folderOf: (t) => path.join(folder, t),
    runtime: onnxRuntime,
    clock: systemClock,
    ...over,
  });
}

describe.skipIf(onnxMissing())('models of users', () => {
  it.each([
    ['isolation', 8, 'scores'],
    ['ahead', 24, undefined],
    ['network', 12, undefined],
  ])('%s says what its maker says', async (name, window, output) => {
    using folder = temporaryFolder('vigie-models-');
    await using host = hostIn(folder.path);
    const file = `${name}.onnx`;
    const info = await host.info(A, file);
    expect(info.sha256).toMatch(/^[0-9a-f]{64}$/);
    const shape = shapeOf(config({ file, window, ...(output ? { output } : {}) }), info);
    const { rows, wanted } = EXPECTED[name]!;
    const got = await host.run(A, {
      file,
      info,
      input: shape.input,
      type: shape.type,
      dims: [rows.length, ...shape.rowDims],
      values: Float64Array.from(rows.flat()),
      output: shape.output,
    });
    const flat = wanted.flat();
    expect(got).toHaveLength(flat.length);
    flat.forEach((w, i) => {
      expect(Math.abs(got[i]! - w), `${name} ${i}`).toBeLessThan(1e-5 * Math.max(1, Math.abs(w)));
    });
  });

  it('says what does not fit, and where', async () => {
    using folder = temporaryFolder('vigie-models-');
    await using host = hostIn(folder.path);
    writeFileSync(path.join(folder.path, 'acme/broken.onnx'), 'no model');
    await expect(host.info(A, 'broken.onnx')).rejects.toMatchObject({ code: 'bad_config' });
    await expect(host.info(A, 'missing.onnx')).rejects.toThrow(/no model missing\.onnx/);
    await expect(host.info(A, '../acme/network.onnx')).rejects.toThrow(/want a name such as/);
    // a tenant reaches its own models only
    await expect(host.info(B, 'network.onnx')).rejects.toThrow(/no model network\.onnx/);
    const info = await host.info(A, 'network.onnx');
    expect(() => shapeOf(config({ file: 'network.onnx', window: 9 }), info)).toThrow(
      /input window: float32\[\?, 12\]: window 9 and 1 features give \[rows, 9\]/,
    );
    expect(() => shapeOf(config({ window: 12, output: 'odd' }), info)).toThrow(/no output "odd", got decoded/);
    const forest = await host.info(A, 'isolation.onnx');
    expect(() => shapeOf(config({ output: 'label' }), forest)).toThrow(/want float32 or float64/);
  });

  it('a call that takes too long, and memory that grows too far, end the process and not the server', async () => {
    using folder = temporaryFolder('vigie-models-');
    const slow = hostIn(folder.path, { callMsMax: 1 });
    await expect(slow.info(A, 'network.onnx')).rejects.toThrow(/no answer within 0\.001 s/);
    await slow[Symbol.asyncDispose]();
    await using greedy = hostIn(folder.path, { memoryBytesMax: 1 });
    await greedy.info(A, 'network.onnx');
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    // it was ended meanwhile; the next question starts another
    expect((await greedy.info(A, 'network.onnx')).bytes).toBeGreaterThan(100);
  });
});

it('says what to install where ONNX Runtime is missing', async () => {
  using folder = temporaryFolder('vigie-models-');
  await using host = hostIn(folder.path, { runtime: path.join(folder.path, 'nowhere') });
  await expect(host.info(A, 'network.onnx')).rejects.toThrow(/npm install --ignore-scripts onnxruntime-node@1\.30\.0/);
});
