/** What a simulation that proves something has to run through, besides all decision rules: a name, a file, a text in it. */
export const branches: readonly (readonly [name: string, file: string, text: string])[] = [
  ['several heads are healed', 'remote/heal-heads.js', 'await deleteHead(context, head, signal)'],
  ['a commit sees another one in its place', 'sync/commit.js', "return { kind: 'lost' };"],
  ['an attempt of an earlier life is asked for', 'sync/commit.js', 'await settle(context, attempt.parent'],
  [
    'an attempt that can never win is dropped',
    'sync/commit.js',
    'if (point !== null && point.version >= attempt.point.version)',
  ],
  [
    'an own changeset is found in the chain',
    'sync/apply-changeset.js',
    'moveSyncedUp(database, triple, operation.after, options.own)',
  ],
  [
    'the own head is not in the chain',
    'sync/pull.js',
    'const orphans = await ownChangesets(context, ancestor, known)',
  ],
  ['orphans are made again', 'sync/pull.js', 'database.chain.putOrphan(changeset.point.hash)'],
  [
    'a store that was rolled back is noticed',
    'sync/pull.js',
    "return new DavitError('remote-rolled-back', `the store at",
  ],
  ['a store that is gone is noticed', 'sync/pull.js', "throw new DavitError('remote-missing'"],
  ['republish', 'sync/recover.js', 'force: true }, {})'],
  ['adopt', 'sync/recover.js', "await join(context, { mode: 'keep', create: true"],
  ['a join by checkpoint', 'sync/join.js', 'openCheckpoint('],
  ['a checkpoint is written', 'sync/maintenance.js', "[{ kind: 'checkpoint', checkpoint, before }]"],
  ['the deletion guard halts', 'sync/guard.js', "throw new DavitError('deletion-guard'"],
  ['the deletion guard is lifted', 'sync/guard.js', 'The guard was lifted for this run'],
  ['a turn is taken with the lock', 'sync/take-turn.js', 'acquireLock'],
  ['a torn file is fetched again after a power cut', 'sync/verify-pulled.js', "rule: 'torn'"],
  [
    'a file that was placed before a crash is known',
    'sync/identify.js',
    'rekey(context, found, known, row.state)',
  ],
  [
    'a deletion is known when joining anew',
    'sync/identify.js',
    'return rekey(context, triple, known, state)',
  ],
  [
    'a file created here and there becomes one',
    'sync/identify.js',
    'return rekey(context, triple, known, known.synced)',
  ],
  ['a parked file comes back', 'sync/recover-parked.js', 'isBack = true'],
  ['what is half done is taken back', 'sync/unfinished.js', 'forgetUnfinished(context);\n}'],
  ['a path follows what a pull had moved', 'sync/path-changes.js', 'trees.putLocal({ ...row'],
  [
    'a resolution is refused as stale',
    'sync/resolve.js',
    "stale('the conflict has changed since it was looked at')",
  ],
  ['a step meets an edit', 'sync/apply-local.js', 'this.state.lookAgainAt(path, id)'],
  ['an upload finds its file changed', 'sync/push.js', 'this.distrust(user.id)'],
]

/**
 * What no seed can come to, why, and which test reaches it instead. An entry that is reached after all does not belong
 * here.
 */
export const unreachable: Readonly<Record<string, { readonly why: string; readonly test: string }>> = {
  'R1-clean in reconcile.js (1)': {
    why: 'a file that no tree knows is in no set of files to be looked at',
    test: 'test/unit/reconcile/decision-table.test.ts',
  },
  'R16-path-taken in reconcile.js (1)': {
    why: 'no instance commits a file and a folder under one id; only a hostile store does',
    test: 'test/unit/reconcile/decision-table.test.ts',
  },
  'R16-path-taken in reconcile.js (2)': {
    why: 'no instance commits a file and a folder under one id; only a hostile store does',
    test: 'test/unit/reconcile/decision-table.test.ts',
  },
  'R3-pull in decide-content.js (1)': {
    why: 'every file has a content hash, and two folders have no content to differ in',
    test: 'test/property/reconcile',
  },
}
