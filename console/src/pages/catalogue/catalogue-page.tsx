/** Packs of the catalogue as a list; one of them with its parameters, rules and what a change would do. */
import { Anchor, Badge, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { Empty, Page, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, type Search, useView } from '../../lib/view.ts';
import { packs } from './api.ts';
import { ApplyView } from './apply-view.tsx';
import { PackView } from './pack-view.tsx';
import { catalogueTexts } from './texts.ts';

export function CataloguePage() {
  const { locale } = useText();
  const words = catalogueTexts[locale];
  const { search } = useView();
  const chosen = search['pack'];
  const applying = search['view'] === 'apply';
  const link = (text: string, more: Search) => (
    <Anchor component={Link} size="sm" to={'/catalogue' as never} search={{ ...frameSearch(search), ...more } as never}>
      {text}
    </Anchor>
  );
  return (
    <Page
      title={applying ? words.apply : chosen ? `${words.title}: ${chosen}` : words.title}
      actions={
        <>
          {(chosen || applying) && link(words.back, {})}
          {!applying && link(words.apply, { view: 'apply' })}
        </>
      }
    >
      {applying ? (
        <ApplyView words={words} />
      ) : chosen ? (
        <PackView key={chosen} name={chosen} words={words} />
      ) : (
        <PackList />
      )}
    </Page>
  );
}

function PackList() {
  const { t, locale } = useText();
  const words = catalogueTexts[locale];
  const { tenant, search } = useView();
  const [text, setText] = useState('');
  const query = useQuery({ queryKey: ['catalogue', tenant], queryFn: () => packs(tenant), staleTime: 30_000 });
  return (
    <>
      <p className="muted" style={{ marginTop: 0 }}>
        {words.hint}
      </p>
      <TextInput
        aria-label={t('table.filter')}
        placeholder={t('table.filter')}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        maw={360}
        mb="sm"
      />
      <QueryView query={query}>
        {(data) => {
          const shown = data.packs.filter((p) =>
            `${p.pack} ${p.title} ${p.description}`.toLowerCase().includes(text.toLowerCase()),
          );
          if (shown.length === 0) return <Empty title={words.none} />;
          return (
            <ul
              style={{
                listStyle: 'none',
                padding: 0,
                margin: 0,
                display: 'grid',
                gap: 12,
                gridTemplateColumns: 'repeat(auto-fill, minmax(min(100%, 300px), 1fr))',
              }}
            >
              {shown.map((p) => (
                <li key={p.pack} className="panel" style={{ padding: 12 }}>
                  <div style={{ display: 'flex', gap: 8, alignItems: 'center', flexWrap: 'wrap' }}>
                    <Anchor
                      component={Link}
                      fw={600}
                      to={'/catalogue' as never}
                      search={{ ...frameSearch(search), pack: p.pack } as never}
                    >
                      {p.title}
                    </Anchor>
                    <Badge size="xs" variant="default">
                      {p.scope === 'tenant' ? words.tenant : words.platform}
                    </Badge>
                    {p.tuned && (
                      <Badge size="xs" variant="light">
                        {words.tuned}
                      </Badge>
                    )}
                    {p.problem && (
                      <Badge size="xs" color="red">
                        {words.broken}
                      </Badge>
                    )}
                  </div>
                  <p style={{ margin: '6px 0', fontSize: 13 }}>{p.problem ?? p.description}</p>
                  <p className="muted" style={{ margin: 0, fontSize: 12 }}>
                    {p.alerts} {words.alerts} · {p.recordings} {words.recordings} · {p.version}
                  </p>
                </li>
              ))}
            </ul>
          );
        }}
      </QueryView>
    </>
  );
}
