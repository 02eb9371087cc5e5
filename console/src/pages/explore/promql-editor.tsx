/** The PromQL editor: completion, lint and hover help from the tenant's own API; Ctrl-Enter runs. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';
import { useEffect, useRef } from 'react';
import { tenantPath } from '../../api/client.ts';

const highlight = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--mantine-color-anchor)', fontWeight: '600' },
  { tag: tags.function(tags.variableName), color: 'var(--mantine-color-anchor)' },
  { tag: tags.string, color: 'var(--v-ok)' },
  { tag: tags.number, color: 'var(--v-warn)' },
  { tag: tags.comment, color: 'var(--v-muted)', fontStyle: 'italic' },
]);

export function PromqlEditor({
  value,
  label,
  tenant,
  onChange,
  onRun,
}: {
  readonly value: string;
  readonly label: string;
  readonly tenant: string;
  readonly onChange: (text: string) => void;
  readonly onRun: (text: string) => void;
}) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | undefined>(undefined);
  const calls = useRef({ onChange, onRun });
  calls.current = { onChange, onRun };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the editor owns its text; `value` is put in below
  useEffect(() => {
    const promql = new PromQLExtension();
    promql.setComplete({ remote: { url: tenantPath(tenant, ''), httpMethod: 'GET' } });
    const made = new EditorView({
      parent: host.current!,
      state: EditorState.create({
        doc: value,
        extensions: [
          history(),
          bracketMatching(),
          closeBrackets(),
          autocompletion(),
          syntaxHighlighting(highlight),
          promql.asExtension(),
          placeholder('rate(http_requests_total[5m])'),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ 'aria-label': label }),
          Prec.highest(
            keymap.of([
              {
                key: 'Mod-Enter',
                run: (v) => {
                  calls.current.onRun(v.state.doc.toString());
                  return true;
                },
              },
            ]),
          ),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
          EditorView.updateListener.of((u) => u.docChanged && calls.current.onChange(u.state.doc.toString())),
          EditorView.theme({
            '&': { minHeight: '42px' },
            '.cm-content': { padding: '10px 4px', caretColor: 'var(--v-text)' },
            '.cm-placeholder': { color: 'var(--v-muted)' },
            '.cm-tooltip': { background: 'var(--v-panel)', color: 'var(--v-text)', border: '1px solid var(--v-line)' },
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
  }, [tenant, label]);
  useEffect(() => {
    const v = view.current;
    if (v && v.state.doc.toString() !== value)
      v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: value } });
  }, [value]);
  return <div ref={host} style={{ minWidth: 0 }} />;
}
