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

type StepHistograms = Readonly<Record<StepOutcome, Histogram>>;

/** How long the steps of the gate take. */
export class StepTimes implements StepWatch {
  private readonly times: ReadonlyMap<GateStep, StepHistograms> = new Map(
    GATE_STEPS.map((step) => [
      step,
      { ok: new Histogram(), refused: new Histogram(), failed: new Histogram() },
    ]),
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
      this.times.get(step)?.[outcome].observeSince(startedAt);
    }
  }

  read(): StepReading[] {
    return GATE_STEPS.flatMap((step) =>
      STEP_OUTCOMES.map((outcome) => ({
        step,
        outcome,
        times: (this.times.get(step) as StepHistograms)[outcome].read(),
      })),
    );
  }
}

function outcomeOf(error: unknown): StepOutcome {
  return error instanceof SluiceError && !isOwnFault(error.code) ? 'refused' : 'failed';
}
