/** One pack: every parameter with the rules it changes, the rules, and the difference that a change would make. */
import { Alert, Button, Code, Group, NativeSelect, Switch, Table, Text, TextInput, Tooltip } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { PackAnswer, PackOverrideInput, PackParameter } from '../../../../src/http/contract/catalogue.ts';
import { ApiError } from '../../api/client.ts';
import { Panel, Problem, QueryView } from '../../components/states.tsx';
import { useView } from '../../lib/view.ts';
import { pack as fetchPack, previewPack, resetPack, savePack } from './api.ts';
import { Diff } from './diff.tsx';
import { fieldValue, shownValue, withParameter, withRule } from './override.ts';
import type { CatalogueTexts } from './texts.ts';

const SEVERITIES = ['', 'info', 'warning', 'critical', 'emergency'];
/** Typing settles before the server is asked what would change. */
const PREVIEW_DELAY_MS = 300;

export function PackView({ name, words }: { readonly name: string; readonly words: CatalogueTexts }) {
  const { tenant } = useView();
  const query = useQuery({ queryKey: ['catalogue', tenant, name], queryFn: () => fetchPack(tenant, name) });
  return (
    <QueryView query={query}>
      {(data) => <PackForm key={`${tenant}/${data.overrideVersion}`} pack={data} words={words} />}
    </QueryView>
  );
}

function PackForm({ pack, words }: { readonly pack: PackAnswer; readonly words: CatalogueTexts }) {
  const { tenant } = useView();
  const client = useQueryClient();
  const [override, setOverride] = useState<PackOverrideInput>(pack.override);
  const settled = useSettled(override);
  const changed = JSON.stringify(override) !== JSON.stringify(pack.override);
  const preview = useQuery({
    queryKey: ['catalogue-preview', tenant, pack.pack, pack.overrideVersion, settled],
    queryFn: ({ signal }) => previewPack(tenant, pack.pack, settled, signal),
    enabled: changed,
  });
  const reload = () => client.invalidateQueries({ queryKey: ['catalogue', tenant] });
  const save = useMutation({
    mutationFn: () => savePack(tenant, pack.pack, override, pack.overrideVersion),
    onSuccess: reload,
  });
  const reset = useMutation({ mutationFn: () => resetPack(tenant, pack.pack), onSuccess: reload });
  const conflict = save.error instanceof ApiError && save.error.status === 409;
  const problems = preview.data?.problems ?? [];
  const errors = preview.data?.findings.filter((f) => f.level === 'error') ?? [];
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <p style={{ margin: 0 }}>{pack.description}</p>
      {pack.parameters.length > 0 && (
        <Panel title={words.parameters}>
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="xs" aria-label={words.parameters}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{words.parameter}</Table.Th>
                  <Table.Th style={{ width: 200 }} aria-label={words.parameter} />
                  <Table.Th>{words.shipped}</Table.Th>
                  <Table.Th>{words.changes}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {pack.parameters.map((p) => (
                  <Table.Tr key={p.name}>
                    <Table.Td>
                      <div className="mono">{p.name}</div>
                      <Text size="xs" className="muted">
                        {p.help}
                      </Text>
                    </Table.Td>
                    <Table.Td>
                      <ParameterField
                        parameter={p}
                        value={shownValue(pack, override, p)}
                        onChange={(v) => setOverride(withParameter(override, p, v))}
                      />
                    </Table.Td>
                    <Table.Td className="mono">
                      {String(p.default)} {p.unit}
                    </Table.Td>
                    <Table.Td>
                      <Text size="xs">{p.usedBy.join(', ')}</Text>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Panel>
      )}
      <Panel title={words.rules}>
        <Table.ScrollContainer minWidth={640}>
          <Table verticalSpacing="xs" aria-label={words.rules}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th style={{ width: 60 }}>{words.enabled}</Table.Th>
                <Table.Th>{words.rules}</Table.Th>
                <Table.Th style={{ width: 110 }}>{words.duration}</Table.Th>
                <Table.Th style={{ width: 140 }}>{words.severity}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {pack.rules.map((r) => {
                const own = override.rules?.[r.name];
                return (
                  <Table.Tr key={`${r.group}/${r.name}`}>
                    <Table.Td>
                      <Switch
                        aria-label={`${words.enabled}: ${r.name}`}
                        checked={own?.enabled ?? true}
                        onChange={(e) =>
                          setOverride(
                            withRule(override, r.name, { enabled: e.currentTarget.checked ? undefined : false }),
                          )
                        }
                      />
                    </Table.Td>
                    <Table.Td>
                      <Text size="sm" fw={600}>
                        {r.name}
                      </Text>
                      <Code block style={{ whiteSpace: 'pre-wrap', fontSize: 12 }}>
                        {r.expr.trim()}
                      </Code>
                    </Table.Td>
                    <Table.Td>
                      {r.kind === 'alert' && (
                        <TextInput
                          aria-label={`${words.duration}: ${r.name}`}
                          placeholder={r.for || '0s'}
                          value={own?.for ?? ''}
                          onChange={(e) => setOverride(withRule(override, r.name, { for: e.currentTarget.value }))}
                        />
                      )}
                    </Table.Td>
                    <Table.Td>
                      {r.kind === 'alert' && (
                        <NativeSelect
                          aria-label={`${words.severity}: ${r.name}`}
                          value={own?.severity ?? ''}
                          data={SEVERITIES.map((s) => ({ value: s, label: s || (r.labels['severity'] ?? '') }))}
                          onChange={(e) => setOverride(withRule(override, r.name, { severity: e.currentTarget.value }))}
                        />
                      )}
                    </Table.Td>
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Panel>
      <Panel title={words.preview}>
        <div style={{ padding: 12, display: 'grid', gap: 8 }} aria-live="polite">
          {(problems.length > 0 || errors.length > 0) && (
            <Alert color="red" variant="outline" title={words.problems}>
              {[...problems, ...errors.map((f) => `${f.where}: ${f.message}`)].map((p) => (
                <div key={p} className="mono">
                  {p}
                </div>
              ))}
            </Alert>
          )}
          {preview.data?.findings
            .filter((f) => f.level !== 'error')
            .map((f) => (
              <Text key={`${f.where}${f.message}`} size="xs" className="muted">
                {f.where}: {f.message}
              </Text>
            ))}
          {preview.data?.diff ? <Diff text={preview.data.diff} /> : <Text size="sm">{words.unchanged}</Text>}
          {conflict ? (
            <Alert color="orange" variant="outline" title={words.conflict}>
              <Button size="xs" variant="default" onClick={() => void reload()}>
                {words.reload}
              </Button>
            </Alert>
          ) : (
            save.error && <Problem error={save.error} />
          )}
          {reset.error && <Problem error={reset.error} />}
          <Group>
            <Button
              disabled={!changed || problems.length > 0 || errors.length > 0}
              loading={save.isPending}
              onClick={() => save.mutate()}
            >
              {words.save}
            </Button>
            <Button
              variant="default"
              disabled={pack.overrideVersion === 0}
              loading={reset.isPending}
              onClick={() => reset.mutate()}
            >
              {words.reset}
            </Button>
          </Group>
        </div>
      </Panel>
      {pack.needs.length > 0 && (
        <Panel title={words.needs}>
          <p className="mono" style={{ padding: '0 12px', overflowWrap: 'anywhere' }}>
            {pack.needs.join(', ')}
          </p>
        </Panel>
      )}
    </div>
  );
}

function ParameterField(props: {
  readonly parameter: PackParameter;
  readonly value: string;
  readonly onChange: (value: number | string | boolean | undefined) => void;
}) {
  const { parameter, value, onChange } = props;
  const range = [parameter.min, parameter.max].map((v) => v ?? '…').join(' – ');
  if (parameter.type === 'boolean' || parameter.values)
    return (
      <NativeSelect
        aria-label={parameter.name}
        value={value}
        data={parameter.values ? [...parameter.values] : ['true', 'false']}
        onChange={(e) => onChange(fieldValue(parameter, e.currentTarget.value))}
      />
    );
  return (
    <Tooltip label={range} disabled={parameter.min === undefined && parameter.max === undefined} withArrow>
      <TextInput
        aria-label={parameter.name}
        defaultValue={value}
        inputMode={parameter.type === 'number' ? 'decimal' : 'text'}
        rightSection={
          parameter.unit ? (
            <Text size="xs" className="muted" style={{ whiteSpace: 'nowrap', paddingRight: 8 }}>
              {parameter.unit}
            </Text>
          ) : undefined
        }
        rightSectionWidth="auto"
        onChange={(e) => onChange(fieldValue(parameter, e.currentTarget.value))}
      />
    </Tooltip>
  );
}

function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PREVIEW_DELAY_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
