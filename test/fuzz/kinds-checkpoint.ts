/** Checkpoints, handed to the reader, and what it lets through to an index. */
import fs from 'node:fs'
import path from 'node:path'
import type { CheckpointReader, Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open-database.ts'
import { openCheckpoint, readCheckpointToTheEnd } from '../../src/database/read-checkpoint.ts'
import { emptyStorePoint, type Operation } from '../../src/model/changeset.ts'
import { emptyDigest } from '../../src/model/digest.ts'
import { checkOperation } from '../../src/remote/changeset-grammar.ts'
import { Author, otherId } from './author.ts'
import { CheckpointForge, damageFile } from './hostile-checkpoints.ts'
import { expectThat, type Kind, type Refusal, tryOut } from './kind.ts'
import { makeScratchFolder } from './scratch.ts'

const refusal: Refusal = { codes: ['remote-damaged'], names: /checkpoint/ }

export function checkpointKinds(): Kind[] {
  const forge = new CheckpointForge(Author.ofSmallStore())
  const folder = makeScratchFolder('checkpoints')
  const file = path.join(folder, 'downloaded.db')
  const copy = path.join(folder, 'written.db')
  const index = openDatabase({ file: ':memory:', instance: () => otherId })

  async function examine(bytes: Uint8Array): Promise<void> {
    fs.writeFileSync(file, bytes)
    const isTaken = await tryOut(() => {
      readCheckpointToTheEnd(file)
      return true
    }, refusal)
    expectThat(
      fs.readdirSync(folder).every((name) => name.endsWith('.db')),
      'something was written beside the checkpoint',
    )
    expectThat(Buffer.from(bytes).equals(fs.readFileSync(file)), 'the checkpoint was written to')
    if (isTaken === null) return
    const checkpoint = openCheckpoint(file)
    try {
      load(index, checkpoint)
    } finally {
      checkpoint.close()
    }
    const problems = index.verify()
    expectThat(problems.length === 0, `the index it makes is not in order: ${JSON.stringify(problems[0])}`)
    index.writeCheckpoint(copy)
    fs.rmSync(copy)
  }

  return [
    {
      name: 'checkpoint',
      weight: 1,
      generate: (chance) => forge.forge(chance),
      examine,
      close: () => forge.close(),
    },
    {
      name: 'checkpoint-bytes',
      weight: 1,
      generate: (chance) => damageFile(forge.honest, chance),
      examine,
      close() {
        index.close()
        fs.rmSync(folder, { recursive: true, force: true })
      },
    },
  ]
}

/** As a newcomer does it. */
function load(index: Database, checkpoint: CheckpointReader): void {
  index.transaction(() => {
    index.trees.forgetRemote()
    index.chain.reset({
      replicaSet: null,
      point: emptyStorePoint,
      digest: emptyDigest,
      checkpoint: null,
      chain: [],
    })
    for (const file of checkpoint.files()) {
      index.trees.putRemote(file)
      const operation: Operation = { kind: 'delete', id: file.id, before: file.state }
      expectWritable(operation)
    }
    for (const content of checkpoint.contents()) index.contents.put(content)
    for (const version of checkpoint.versions()) index.history.add(version)
    for (const conflict of checkpoint.conflicts()) {
      index.conflicts.put(conflict)
      const { id, fileId, path: at, kind, aspect, base, candidates, detectedAt, version } = conflict
      expectWritable({
        kind: 'resolve',
        id,
        fileId,
        strategy: 'equal',
        decided: [],
        before: {
          path: at,
          conflict: kind,
          aspect,
          base,
          candidates,
          detectedAt,
          version: Math.max(1, version),
        },
      })
    }
    const { meta } = checkpoint
    index.chain.reset({ ...meta, checkpoint: null, chain: checkpoint.chain() })
  })
}

/** What a checkpoint brings in has to go out again some day: as the `before` of a commit. */
function expectWritable(operation: Operation): void {
  const checked = checkOperation(operation.kind, operation)
  expectThat(
    !('problem' in checked),
    `a state comes in that no changeset can carry: ${'problem' in checked ? checked.problem : ''}`,
  )
}
