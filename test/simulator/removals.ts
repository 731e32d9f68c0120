/**
 * Whether the deletion guard holds: what one run deletes on either side, held against all that the side ever had. A
 * run that goes beyond the bound even so did not ask.
 */
import type { Database } from '../../src/database/database.ts'
import type { Changeset, ChangesetHash } from '../../src/model/changeset.ts'
import type { RunSummary } from '../../src/model/run.ts'

export interface RemovalBound {
  readonly fraction: number
  readonly atLeast: number
}

export class Removals {
  private readonly bound: RemovalBound
  private mostHere = 0
  private mostThere = 0
  /** Deletions that the run under way committed, and those among them that an earlier run had left open. */
  private committed = 0
  private settled = 0
  private leftOpen = new Set<ChangesetHash>()

  constructor(bound: RemovalBound) {
    this.bound = bound
  }

  begins(index: Database): void {
    this.committed = 0
    this.settled = 0
    this.leftOpen = new Set(index.chain.attempts().map(({ point }) => point.hash))
    this.look(index, 0)
  }

  /** Any changeset was taken in. */
  applied(index: Database, { point, operations }: Changeset, isOwn: boolean): void {
    const deletions = isOwn ? operations.filter(({ kind }) => kind === 'delete').length : 0
    this.committed += deletions
    if (this.leftOpen.has(point.hash)) this.settled += deletions
    // What came while the run went on is what it could delete as well.
    this.mostThere = Math.max(this.mostThere, index.trees.counts().remoteFiles + this.committed)
  }

  /** What is wrong with the run, if anything is. */
  ends(index: Database, { deleted }: RunSummary): string | null {
    const here = Math.max(0, deleted - this.committed)
    const there = this.committed - this.settled
    this.look(index, here)
    if (this.isBeyond(here, this.mostHere)) return `deleted ${here} of at most ${this.mostHere} files here`
    if (this.isBeyond(there, this.mostThere))
      return `deleted ${there} of at most ${this.mostThere} files in the store`
    return null
  }

  private look(index: Database, deletedHere: number): void {
    const { localFiles, remoteFiles } = index.trees.counts()
    this.mostHere = Math.max(this.mostHere, localFiles + deletedHere)
    this.mostThere = Math.max(this.mostThere, remoteFiles)
  }

  private isBeyond(deletions: number, most: number): boolean {
    return deletions > this.bound.atLeast && deletions > this.bound.fraction * most
  }
}
