/** Values that one run of a subject gave, by the name of what was measured. */
export type Reading = Readonly<Record<string, number>>;

/** One bar of a chart, one row of a table. */
export interface Subject {
  readonly name: string;
  /** One run: starts what it needs, measures, and puts everything away. */
  measure(): Promise<Reading>;
}

/** Medians over all runs; throws where there are none. */
export type Medians = (subject: string, value: string) => number;

/** What a figure must reach. */
export interface Target {
  /** What is compared with what. */
  readonly says: string;
  readonly value: (medians: Medians) => number;
  readonly bound: { readonly atLeast: number } | { readonly below: number };
}

/** Something that is measured, of several subjects in the same way. */
export interface Figure {
  /** Also the name of its chart. */
  readonly name: string;
  readonly title: string;
  /** How it is measured, in a sentence or two. */
  readonly method: string;
  /** Units by the names of values, those of the chart first. */
  readonly units: Readonly<Record<string, string>>;
  readonly subjects: readonly Subject[];
  readonly targets: readonly Target[];
}
