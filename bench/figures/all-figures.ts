import type { Bench } from '../bench.js';
import type { Figure } from '../figure.js';
import {
  fanOutFigures,
  growthFigure,
  patternsFigure,
  topicFigure,
  workspacesFigure,
} from './fan-out.js';
import { heartbeatFigure, memoryFigure } from './idle.js';
import { durableLatencyFigure, latencyFigures } from './latency.js';
import { openingFigure } from './opening.js';
import { publishingFigures } from './publishing.js';
import { redisFigure } from './redis.js';
import { longReplayFigure, returningFigure, sharedReplayFigure } from './replay.js';

export function allFigures(bench: Bench): Figure[] {
  return [
    ...fanOutFigures(bench),
    workspacesFigure(bench),
    topicFigure(bench),
    patternsFigure(bench),
    growthFigure(bench),
    ...publishingFigures(bench),
    openingFigure(bench),
    memoryFigure(bench),
    returningFigure(bench),
    longReplayFigure(bench),
    sharedReplayFigure(bench),
    durableLatencyFigure(bench),
    redisFigure(bench),
    ...latencyFigures(bench),
    heartbeatFigure(bench),
  ];
}
