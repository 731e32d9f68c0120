/**
 * Rules of the protocol, each with a patch in `without/` that takes it out of the code, and the scenario that has to
 * notice. A rule whose absence is not noticed is one that nobody checks.
 */
export interface Rule {
  /** The name of its patch. */
  readonly name: string
  readonly says: string
  readonly noticedBy: string
}

export const rules: readonly Rule[] = [
  {
    name: 'attempt-before-move',
    says: 'The attempt is stored durably before the MOVE is sent.',
    noticedBy: 'crashes',
  },
  {
    name: 'attempt-stays-until-passed',
    says: 'The attempt stays until the chain has passed its version.',
    noticedBy: 'unanswered',
  },
  {
    name: 'own-attempt-is-agreed',
    says: 'An attempt found in the chain after a restart moves `synced` to its version first.',
    noticedBy: 'crashes',
  },
  {
    name: 'look-after-success',
    says: 'After an answer of success the names are looked at.',
    noticedBy: 'network',
  },
  {
    name: 'look-after-failure',
    says: 'After an answer of failure the names are looked at.',
    noticedBy: 'crashes-network',
  },
  {
    name: 'synced-when-won',
    says: 'Only when won are the entries marked synced.',
    noticedBy: 'plain',
  },
  {
    name: 'source-is-parent',
    says: "The source of the MOVE is always the changeset's own parent.",
    noticedBy: 'plain',
  },
  {
    name: 'looks-again-at-no-name',
    says: 'No name in `version/` is looked at three times before it is believed.',
    noticedBy: 'listings',
  },
  {
    name: 'nobody-commits-on-several',
    says: 'Nobody commits while there are several names.',
    noticedBy: 'copies-crash',
  },
  {
    name: 'higher-version-stays',
    says: 'Of several names the higher version stays, then the smaller hash.',
    noticedBy: 'copies-crash',
  },
  {
    name: 'doubted-upload-is-read-back',
    says: 'A changeset whose upload is in doubt is read back before it counts.',
    noticedBy: 'uploads',
  },
  {
    name: 'changeset-before-move',
    says: 'The changeset is in the store before the MOVE.',
    noticedBy: 'uploads',
  },
  {
    name: 'chain-contains-own-head',
    says: 'A reader takes no state whose chain it has not proved to contain its own head.',
    noticedBy: 'broken-server',
  },
]
