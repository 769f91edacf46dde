/** A text that only its owner may read, and which state of the document it is. */
export interface PrivateText {
  readonly text: string;
  /** Changes with every change of the document. */
  readonly version: string;
}

/** A text that only an issuer may read, and that several processes may change. */
export interface PrivateDocument {
  /** What it is called in a message for the operator. */
  readonly name: string;

  /** `null` where there is none. @throws IssuerError if it cannot be used, or others may read it. */
  read(): Promise<PrivateText | null>;

  /** The version, without the cost of the text. */
  version(): Promise<string | null>;

  /** As `read`, for whoever cannot wait and has read it before. It may be as old as half a second. */
  readNow(): PrivateText | null;

  /** As `version`, in the way of `readNow`. */
  versionNow(): string | null;

  /** Makes it where there is none yet. Where another process was first, its text stays. */
  create(text: string): Promise<void>;

  /**
   * Replaces the text by what `change` makes of it, whole or not at all. Changes by several processes come one after the
   * other; `change` may be called more than once.
   */
  change(change: (text: string | null) => string): Promise<void>;
}

/** What an issuer keeps. */
export interface PrivateDocuments {
  /** Where that is, in a message for the operator. */
  readonly place: string;
  readonly keys: PrivateDocument;
  readonly clients: PrivateDocument;

  /** Makes what is needed to keep them. */
  prepare(): Promise<void>;

  /** Whether there may be any: an issuer has worked here. Makes nothing. */
  exist(): Promise<boolean>;
}
