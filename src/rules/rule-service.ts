/** The rules of all tenants: configuration, scheduling at each group's own offset, fair shares, state over restarts. */
import type { TenantId } from '../model/tenant.ts';
import type { RuleServiceOptions, RuleSource, TenantRulesView } from './ports.ts';

export class RuleService implements AsyncDisposable {
  readonly #options: RuleServiceOptions;

  constructor(options: RuleServiceOptions) {
    this.#options = options;
  }

  /** Throws `bad_config` (file:line) when a file is refused; nothing is changed by it. */
  check(_tenant: TenantId, _files: readonly RuleSource[]): void {
    throw new Error(`not wired: ${typeof this.#options}`);
  }

  /** Checks all files, then swaps; groups and rules that did not change keep their state. Throws `bad_config`, `quota`. */
  async configure(_tenant: TenantId, _files: readonly RuleSource[]): Promise<void> {
    throw new Error('not wired');
  }

  async remove(_tenant: TenantId): Promise<void> {}

  view(_tenant: TenantId): TenantRulesView {
    return { groups: [], rulesFailing: 0, rulesUnknown: 0, iterationsMissed: 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
