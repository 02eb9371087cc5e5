/** Ports of the detector runner over series given as functions of time, for tests in virtual time. */
import { backtest } from '../../src/intelligence/backtest.ts';
import { fitOne } from '../../src/intelligence/fit.ts';
import { fitHere } from '../../src/intelligence/fit-pool.ts';
import type { IntelligencePorts, StatePort } from '../../src/intelligence/ports.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { Labels } from '../../src/model/labels.ts';
import type { Sample, SeriesColumns } from '../../src/model/sample.ts';
import type { TenantId } from '../../src/model/tenant.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryDocuments } from './memory-documents.ts';

/** NaN: no sample at that time. */
export type ValueAt = (atMs: number) => number;

export class MemoryStates implements StatePort {
  readonly kept = new Map<string, Uint8Array>();
  async load(tenant: TenantId, key: string) {
    return this.kept.get(`${tenant}/${key}`);
  }
  async save(tenant: TenantId, key: string, state: Uint8Array) {
    this.kept.set(`${tenant}/${key}`, Uint8Array.from(state));
  }
  async remove(tenant: TenantId, key: string) {
    this.kept.delete(`${tenant}/${key}`);
  }
  async removeTenant(tenant: TenantId) {
    for (const key of this.kept.keys()) if (key.startsWith(`${tenant}/`)) this.kept.delete(key);
  }
}

export class IntelligenceWorld {
  readonly clock: FakeClock;
  readonly documents = new MemoryDocuments();
  readonly states = new MemoryStates();
  /** Tenant -> expression -> series. */
  readonly series = new Map<string, Map<string, readonly { readonly labels: Labels; readonly at: ValueAt }[]>>();
  readonly written = new Map<string, Sample[]>();
  queries = 0;
  /** From when there is history. */
  sinceMs = Number.NEGATIVE_INFINITY;
  fail: string | undefined;

  constructor(startMs: number) {
    this.clock = new FakeClock(startMs);
  }

  add(tenant: string, expr: string, labels: Record<string, string>, at: ValueAt): void {
    const byExpr = this.series.get(tenant) ?? new Map();
    this.series.set(tenant, byExpr);
    byExpr.set(expr, [...(byExpr.get(expr) ?? []), { labels: Labels.from(labels), at }]);
  }

  ports(): IntelligencePorts {
    const find = (tenant: TenantId, expr: string) => {
      this.queries++;
      if (this.fail) throw new Error(this.fail);
      return this.series.get(tenant)?.get(expr) ?? [];
    };
    const columns = (tenant: TenantId, expr: string, startMs: number, endMs: number, stepMs: number) =>
      find(tenant, expr).flatMap(({ labels, at }): SeriesColumns[] => {
        const times: number[] = [];
        const values: number[] = [];
        for (let t = startMs; t <= endMs; t += stepMs) {
          const v = t < this.sinceMs || t > this.clock.now() ? Number.NaN : at(t);
          if (!Number.isNaN(v)) {
            times.push(t);
            values.push(v);
          }
        }
        if (times.length === 0) return [];
        return [
          { labels, length: times.length, timestamps: Float64Array.from(times), values: Float64Array.from(values) },
        ];
      });
    return {
      queryInstant: async (tenant, expr, atMs) =>
        find(tenant, expr).flatMap(({ labels, at }) => {
          const value = at(atMs);
          return Number.isNaN(value) ? [] : [{ labels, value }];
        }),
      queryRange: async (tenant, expr, r) => columns(tenant, expr, r.startMs, r.endMs, r.stepMs),
      writeSamples: async (tenant, samples) => {
        const list = this.written.get(tenant) ?? [];
        this.written.set(tenant, list);
        list.push(...samples);
      },
      readMetric: (tenant, metric, r) =>
        columns(tenant, metric, Math.ceil(r.startMs / 15_000) * 15_000, r.endMs, 15_000),
      metricNames: async (tenant) => [...(this.series.get(tenant)?.keys() ?? [])].sort(),
      documents: this.documents,
      states: this.states,
      fit: fitHere(fitOne, backtest),
      clock: this.clock,
      logger: silentLogger,
    };
  }

  /** Newest value of a written series, by name and labels. */
  last(tenant: string, name: string, labels: Record<string, string> = {}): number | undefined {
    return this.values(tenant, name, labels).at(-1)?.value;
  }

  values(tenant: string, name: string, labels: Record<string, string> = {}): readonly Sample[] {
    return (this.written.get(tenant) ?? []).filter(
      (s) => s.labels.metricName === name && Object.entries(labels).every(([k, v]) => s.labels.get(k) === v),
    );
  }
}
