/** All crash scenarios. */
import type { Scenario } from '../scenario.ts'
import { changes } from './changes.ts'
import { conflicts } from './conflicts.ts'
import {
  copiedState,
  firstSync,
  halfMadeIndex,
  init,
  initJoining,
  join,
  lateJoin,
  lostMarker,
  olderIndex,
} from './setting-up.ts'
import { store } from './store.ts'

export const scenarios: readonly Scenario[] = [
  firstSync,
  join,
  init,
  initJoining,
  lateJoin,
  halfMadeIndex,
  copiedState,
  lostMarker,
  olderIndex,
  ...changes,
  ...conflicts,
  ...store,
]
