/** What the gate does on the way in: verify the token, ask for the permission, find a place. */
export const GATE_STEPS = ['token', 'permission', 'places'] as const;
export type GateStep = (typeof GATE_STEPS)[number];

/** Sees how long each step takes and what comes of it. It changes nothing: results and errors pass through. */
export interface StepWatch {
  watch<Result>(step: GateStep, work: () => Promise<Result>): Promise<Result>;
}

export const unwatched: StepWatch = { watch: (_, work) => work() };
