interface Closable {
  close(): void | Promise<void>;
}

/** What must be let go of again, in the reverse order of its opening; also where a later part cannot be opened. */
export class OpenedParts {
  private readonly parts: Closable[] = [];

  /** Waits for a part to open, and keeps it. If it cannot be opened, those before it are let go of. */
  async add<Part extends Closable>(opening: Promise<Part>): Promise<Part> {
    try {
      const part = await opening;
      this.parts.push(part);
      return part;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const part of this.parts.splice(0).reverse()) await part.close();
  }
}
