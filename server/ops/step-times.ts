import { isOwnFault, SluiceError } from '../errors.js';
import { GATE_STEPS, type GateStep, type StepWatch } from '../gate/step-watch.js';
import { Histogram, type HistogramReading } from '../histogram.js';

/** `refused`: by what the caller brought or is. `failed`: nobody could say. */
const STEP_OUTCOMES = ['ok', 'refused', 'failed'] as const;
type StepOutcome = (typeof STEP_OUTCOMES)[number];

export interface StepReading {
  readonly step: GateStep;
  readonly outcome: StepOutcome;
  readonly times: HistogramReading;
}

/** How long the steps of the gate take. */
export class StepTimes implements StepWatch {
  private readonly times = new Map(
    GATE_STEPS.flatMap((step) =>
      STEP_OUTCOMES.map((outcome) => [keyOf(step, outcome), new Histogram()] as const),
    ),
  );

  async watch<Result>(step: GateStep, work: () => Promise<Result>): Promise<Result> {
    const startedAt = performance.now();
    let outcome: StepOutcome = 'ok';
    try {
      return await work();
    } catch (error) {
      outcome = outcomeOf(error);
      throw error;
    } finally {
      this.times.get(keyOf(step, outcome))?.observeSince(startedAt);
    }
  }

  read(): StepReading[] {
    return GATE_STEPS.flatMap((step) =>
      STEP_OUTCOMES.map((outcome) => ({
        step,
        outcome,
        times: (this.times.get(keyOf(step, outcome)) as Histogram).read(),
      })),
    );
  }
}

function keyOf(step: GateStep, outcome: StepOutcome): string {
  return `${step} ${outcome}`;
}

function outcomeOf(error: unknown): StepOutcome {
  return error instanceof SluiceError && !isOwnFault(error.code) ? 'refused' : 'failed';
}
