/** The session, fetched once and shared; a 401 anywhere asks for it again. */
import { useQuery } from '@tanstack/react-query';
import type { SessionAnswer } from '../../../src/http/contract/session.ts';
import { setCsrfToken } from './client.ts';
import { earlySession } from './early.ts';
import { session } from './vigie.ts';

/** Also asked before anything is drawn: see main.tsx. */
export const sessionQuery = {
  queryKey: ['session'],
  queryFn: async (): Promise<SessionAnswer> => {
    const answer = (await earlySession()) ?? (await session());
    setCsrfToken(answer.csrfToken);
    return answer;
  },
  staleTime: 5 * 60_000,
};
export function useSessionQuery() {
  return useQuery(sessionQuery);
}
export function useSession(): SessionAnswer | undefined {
  return useSessionQuery().data;
}
