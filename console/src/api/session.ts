/** The session, fetched once and shared; a 401 anywhere asks for it again. */
import { useQuery } from '@tanstack/react-query';
import type { SessionAnswer } from '../../../src/http/contract/session.ts';
import { setCsrfToken } from './client.ts';
import { session } from './vigie.ts';

export function useSessionQuery() {
  return useQuery({
    queryKey: ['session'],
    queryFn: async (): Promise<SessionAnswer> => {
      const answer = await session();
      setCsrfToken(answer.csrfToken);
      return answer;
    },
    staleTime: 5 * 60_000,
  });
}
export function useSession(): SessionAnswer | undefined {
  return useSessionQuery().data;
}
