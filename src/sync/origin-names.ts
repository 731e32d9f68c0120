/** Which instance committed a version, by the journal. */
import type { SyncContext } from './context.ts'

export class OriginNames {
  private readonly context: SyncContext
  private readonly known = new Map<number, string>()

  constructor(context: SyncContext) {
    this.context = context
  }

  /** The author's name; `''` when the journal does not reach back to the version. */
  of(version: number | undefined): string {
    if (version === undefined) return this.context.instance().name
    const known = this.known.get(version)
    if (known !== undefined) return known
    const { chain } = this.context.database
    const bytes = chain.bytesAt(version)
    const hash = chain.hashAt(version)
    const name =
      bytes === null || hash === null
        ? ''
        : this.context.remote.decodeChangeset({ version, hash }, bytes).header.instance.name
    this.known.set(version, name)
    return name
  }
}
