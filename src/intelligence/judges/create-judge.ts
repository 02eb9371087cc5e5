/** From a declaration to the detector that runs it; the worker that replays history calls the same. */
import { AnomalyJudge } from './anomaly-judge.ts';
import { ChangeJudge } from './change-judge.ts';
import type { Judge, StreamConfig } from './judge.ts';
import { MultivariateJudge } from './multivariate-judge.ts';
import { PeersJudge } from './peers-judge.ts';

export function createJudge(config: StreamConfig): Judge {
  switch (config.kind) {
    case 'anomaly':
      return new AnomalyJudge(config);
    case 'peers':
      return new PeersJudge(config);
    case 'multivariate':
      return new MultivariateJudge(config);
    case 'change':
      return new ChangeJudge(config);
  }
}
