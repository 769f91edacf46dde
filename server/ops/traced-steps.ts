import type { StepWatch } from '../gate/step-watch.js';
import { traced } from './tracing.js';

/** The same watch, and a span for each step where somebody traces. */
export function tracedSteps(next: StepWatch): StepWatch {
  return {
    watch: (step, work) => traced(`gate ${step}`, () => next.watch(step, work)),
  };
}
