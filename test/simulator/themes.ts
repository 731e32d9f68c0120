/**
 * What a seed is about. Everything at once reaches much, but seldom two rare things together: a theme brings those
 * near each other that make a situation. A third of the seeds has none.
 */
import type { ConflictPolicy } from '../../src/model/conflict.ts'
import type { EventKind } from './plan.ts'

export interface Theme {
  /** Weights of what it is about, in the place of the usual ones. */
  readonly weights: Partial<Readonly<Record<EventKind, number>>>
  readonly instances?: readonly number[]
  /** Of file times, of every instance. */
  readonly granularityMs?: number
  readonly batch?: number
  readonly policy?: ConflictPolicy
  /** Some seconds between two events are too long for what has to meet. */
  readonly paceMs?: number
  /** Which faults, with the probability of each. `none`: nothing but what the theme brings. */
  readonly faults?: 'none' | 'pages'
}

export const themes = {
  plain: { weights: {} },
  /** The same few files edited, deleted and decided on everywhere. */
  conflicts: {
    weights: { meet: 30, resolve: 12, decideLater: 14, revert: 8, edit: 30, remove: 12, write: 6, sync: 50 },
    instances: [2, 3, 3],
  },
  metadata: {
    weights: { metadata: 30, metadataMeet: 60, resolve: 4, decideLater: 8, meet: 4, sync: 50 },
    instances: [2, 3],
    policy: 'manual',
  },
  /** Many commit many small changes at once. */
  rush: { weights: { rush: 24 }, instances: [3, 4], batch: 1, paceMs: 3_000 },
  /** Processes die in the middle of their file calls. */
  crashes: {
    weights: {
      crashWriting: 20,
      crashPulling: 50,
      crash: 12,
      swap: 20,
      renameFolder: 12,
      rename: 12,
      remove: 16,
      write: 30,
      edit: 30,
      sync: 60,
    },
    faults: 'none',
  },
  /** Two commits follow one. */
  forks: {
    weights: { duplicateHead: 14, meet: 20, edit: 30, rename: 12, remove: 10, sync: 60 },
    instances: [2, 3],
  },
  /** Disks that are full, broken, unreadable in places, or not there. */
  disks: {
    weights: { fullDisk: 12, brokenDisk: 12, unreadable: 16, unmount: 8, write: 30, edit: 30, sync: 50 },
  },
  /** A server without room. */
  stores: { weights: { fullStore: 14, overwriteBlob: 6, write: 30, edit: 30, sync: 50 } },
  /** Indexes that are gone or old, and newcomers. */
  newStates: {
    weights: {
      loseState: 8,
      restoreIndex: 8,
      copyIndex: 8,
      join: 4,
      remove: 20,
      edit: 30,
      write: 20,
      sync: 60,
    },
    faults: 'none',
  },
  /** Changes that a look at size and time does not tell. */
  fresh: {
    weights: { editAgain: 40, sneakyEdit: 30, slipIn: 30, sync: 50 },
    granularityMs: 2_000,
    faults: 'none',
  },
  /** A portal in between answers with pages. */
  pages: { weights: { edit: 30, write: 30, sync: 60 }, faults: 'pages' },
} as const satisfies Readonly<Record<string, Theme>>

export type ThemeName = keyof typeof themes

export const themeNames = Object.keys(themes) as ThemeName[]
