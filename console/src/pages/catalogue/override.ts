/** Changes to a pack as the form makes them: what equals the shipped value is no change, and empty parts go away. */
import type { PackAnswer, PackOverrideInput, PackParameter } from '../../../../src/http/contract/catalogue.ts';

export function withParameter(
  override: PackOverrideInput,
  parameter: PackParameter,
  value: number | string | boolean | undefined,
): PackOverrideInput {
  const { [parameter.name]: _old, ...rest } = override.parameters ?? {};
  const parameters = value === undefined ? rest : { ...rest, [parameter.name]: value };
  const { parameters: _all, ...others } = override;
  return Object.keys(parameters).length === 0 ? others : { ...others, parameters };
}

export function withRule(
  override: PackOverrideInput,
  rule: string,
  change: NonNullable<PackOverrideInput['rules']>[string],
): PackOverrideInput {
  const merged = Object.fromEntries(
    Object.entries({ ...override.rules?.[rule], ...change }).filter(([, v]) => v !== undefined && v !== ''),
  );
  const { [rule]: _old, ...rest } = override.rules ?? {};
  const rules = Object.keys(merged).length === 0 ? rest : { ...rest, [rule]: merged };
  const { rules: _all, ...others } = override;
  return Object.keys(rules).length === 0 ? others : { ...others, rules };
}

/** What a field shows: the change that is being made, else what is in force. */
export function shownValue(pack: PackAnswer, override: PackOverrideInput, parameter: PackParameter): string {
  const changed = override.parameters?.[parameter.name];
  if (changed !== undefined) return String(changed);
  // a change that was kept and is being taken back shows the shipped value until the server answers
  return String(pack.override.parameters?.[parameter.name] !== undefined ? parameter.default : parameter.value);
}

/** The typed value of a field's text; undefined when it is empty: back to what is configured. */
export function fieldValue(parameter: PackParameter, text: string): number | string | boolean | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  if (parameter.type === 'boolean') return trimmed === 'true';
  if (parameter.type !== 'number') return trimmed;
  const n = Number(trimmed.replace(',', '.'));
  return Number.isFinite(n) ? n : trimmed;
}
