/**
 * The built-in host exporter: runs every collector and answers exposition text, for a target without a socket. One
 * area that fails costs only its own metrics and shows as `node_scrape_collector_success 0`.
 */
import type { Clock } from '../../../lib/clock.ts';
import { messageOf } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import { COLLECTORS } from './collectors.ts';
import { ExpositionWriter } from './exposition-writer.ts';

export interface HostExporterOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default /proc. */
  readonly proc?: string;
  /** Default /sys. */
  readonly sys?: string;
}

/** A function that reads the host and answers exposition text 0.0.4. Linux only: elsewhere collectors report failure. */
export function createHostExporter(options: HostExporterOptions): () => Promise<string> {
  const { clock, logger, proc = '/proc', sys = '/sys' } = options;
  const warned = new Set<string>();
  return async () => {
    const out = new ExpositionWriter();
    for (const [collector, collect] of Object.entries(COLLECTORS)) {
      const startMs = clock.monotonicMs();
      // an area that breaks off leaves nothing half-told
      const part = new ExpositionWriter();
      let success = 1;
      try {
        await collect({ proc, sys, out: part, nowMs: clock.now() });
        out.append(part);
      } catch (error) {
        success = 0;
        if (!warned.has(collector)) {
          warned.add(collector);
          logger.debug('host area not readable here', { collector, error: messageOf(error) });
        }
      }
      out.gauge(
        'node_scrape_collector_duration_seconds',
        'Duration of a collector scrape.',
        (clock.monotonicMs() - startMs) / 1000,
        { collector },
      );
      out.gauge('node_scrape_collector_success', 'Whether a collector succeeded.', success, { collector });
    }
    return out.text();
  };
}
