import type { Decision, PermissionChecker, PermissionQuestion } from './permission-checker.js';
import { PolicyFile, type PolicyFileOptions } from './policy-file.js';
import { tokenRoles } from './token-roles.js';

/** Decides by a policy file: roles within workspaces, and what they may do on which topics. */
export class CasbinPermissionChecker implements PermissionChecker {
  readonly name = 'policy-file';
  readonly canChangeItsMind = true;

  private constructor(private readonly file: PolicyFile) {}

  /** @throws PolicyFault if the file cannot stand. */
  static async open(options: PolicyFileOptions): Promise<CasbinPermissionChecker> {
    return new CasbinPermissionChecker(await PolicyFile.open(options));
  }

  async check(question: PermissionQuestion): Promise<Decision> {
    const { principal, workspace, permission, mustBeFresh } = question;
    if (mustBeFresh) await this.file.look();
    const { subject, claims } = principal;
    const asking = { subject, roles: tokenRoles(claims) };
    return this.file.current.decide(asking, workspace, permission);
  }

  /** Follows the file no longer. */
  close(): void {
    this.file.close();
  }
}
