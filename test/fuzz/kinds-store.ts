/** Objects that are put into a store which a whole instance syncs with. */
import { contentName, headContent } from '../../src/remote/layout.ts'
import { sha256Of } from '../support/changesets.ts'
import { answerOf } from '../support/memory-dav.ts'
import { Author, sign } from './author.ts'
import { Besieged } from './besieged.ts'
import type { Chance } from './chance.ts'
import { generateLines, withDigest } from './changeset-text.ts'
import { decodeAnswer, encodeAnswer, hostileAnswer } from './hostile-answers.ts'
import { CheckpointForge, damageFile } from './hostile-checkpoints.ts'
import { expectThat, type Kind } from './kind.ts'
import { hostileName } from './kinds-names.ts'
import { mutateBytes } from './mutate-bytes.ts'

/** Opens an instance for one object, and closes it whatever happens. */
async function besiege(
  options: { readonly newcomer: boolean },
  attack: (besieged: Besieged) => Promise<void>,
): Promise<void> {
  const besieged = await Besieged.open(options)
  try {
    await attack(besieged)
  } finally {
    await besieged.close()
  }
}

export function storeKinds(): Kind[] {
  const author = Author.ofSmallStore()
  const forge = new CheckpointForge(author)
  const version = author.head.version + 1
  return [
    {
      name: 'store-changeset',
      weight: 12,
      generate: (chance) => Buffer.from(generateLines(author, chance)),
      examine: (plain) =>
        besiege({ newcomer: false }, (besieged) =>
          commit(besieged, sign(withDigest(plain, besieged.author), version)),
        ),
      close() {
        forge.close()
        author.database.close()
      },
    },
    {
      name: 'store-changeset-bytes',
      weight: 2,
      generate: (chance) =>
        mutateBytes(sign(Buffer.from(generateLines(author, chance)), version).bytes, chance),
      examine: (bytes) =>
        besiege({ newcomer: false }, (besieged) =>
          commit(besieged, { point: { version, hash: sha256Of(bytes) }, bytes }),
        ),
    },
    { name: 'store-names', weight: 2, generate: generateNames, examine: plantNames },
    {
      name: 'store-checkpoint',
      weight: 3,
      generate: (chance) => (chance.maybe(0.8) ? forge.forge(chance) : damageFile(forge.honest, chance)),
      examine: plantCheckpoint,
    },
    {
      name: 'store-content',
      weight: 1,
      generate: (chance) =>
        chance.maybe(0.2)
          ? Buffer.from('the right bytes')
          : mutateBytes(Buffer.from('the right bytes'), chance),
      examine: plantContent,
    },
    {
      name: 'store-answers',
      weight: 4,
      generate: (chance) =>
        Buffer.concat([
          Buffer.from(
            `${chance.pick(['GET', 'HEAD', 'PROPFIND', 'PUT', 'MOVE', '*'])} ${1 + chance.int(4)}\n`,
          ),
          encodeAnswer(hostileAnswer(chance)),
        ]),
      examine: answerWrongly,
    },
  ]
}

/** The changeset becomes the head; it is taken away again if it was refused, and stands if it was taken. */
async function commit(besieged: Besieged, { point, bytes }: ReturnType<typeof sign>): Promise<void> {
  const { author, bob } = besieged
  const honest = new Map(author.files)
  author.publish(point, bytes)
  besieged.putStore()
  for (const [name] of author.files) if (!honest.has(name)) author.files.delete(name)
  for (const [name, content] of honest) author.files.set(name, content)
  await besieged.endure(() => {
    if (bob.database.chain.hashAt(point.version) !== point.hash) besieged.putStore()
  })
}

const folders = [
  'version/',
  'version/',
  'lock/',
  'instances/',
  'changes/',
  'changes/000000000/',
  'checkpoints/',
  '',
  'ab/',
]

/** Each line a folder, a name in it, and how long the file is. */
function generateNames(chance: Chance): Uint8Array {
  const lines = Array.from({ length: 1 + chance.int(6) }, () => {
    const name = hostileName(chance)
      .toWellFormed()
      .replaceAll(/[\n\t]/g, ' ')
    return `${chance.pick(folders)}\t${name}\t${chance.pick([0, 1, 32, 9_000])}`
  })
  return Buffer.from(lines.join('\n'))
}

function plantNames(object: Uint8Array): Promise<void> {
  return besiege({ newcomer: false }, async (besieged) => {
    const planted: string[] = []
    for (const line of Buffer.from(object).toString().split('\n')) {
      const [folder = '', name = '', size = '0'] = line.split('\t')
      if (
        name === '' ||
        name.length > 300 ||
        name.split('/').some((segment) => ['', '.', '..'].includes(segment))
      )
        continue
      const length = Math.min(10_000, Math.abs(Number(size) || 0))
      besieged.putObject(
        folder + name,
        length === headContent.length ? headContent : Buffer.alloc(length, '{'),
      )
      if (!besieged.author.files.has(folder + name)) planted.push(folder + name)
    }
    // What the instance itself has committed meanwhile stays.
    await besieged.endure(() => {
      for (const name of planted) besieged.removeObject(name)
    })
  })
}

/** A newcomer meets it: whoever stands in the chain already reads no checkpoint. */
function plantCheckpoint(bytes: Uint8Array): Promise<void> {
  return besiege({ newcomer: true }, async (besieged) => {
    const { author } = besieged
    const { head } = author
    const hash = sha256Of(bytes)
    const name = `checkpoints/${String(head.version).padStart(12, '0')}-${hash}-${'0'.repeat(24)}.db`
    const checkpoint = {
      version: head.version,
      chainHash: head.hash,
      name,
      hash,
      size: Math.max(1, bytes.length),
    }
    const honest = new Map(author.files)
    author.files.set(name, bytes)
    const operation = { kind: 'checkpoint', checkpoint, before: null } as const
    const signed = sign(
      Buffer.from(
        [author.header([operation], { checkpoint }), operation]
          .map((line) => `${JSON.stringify(line)}\n`)
          .join(''),
      ),
      head.version + 1,
    )
    author.publish(signed.point, signed.bytes)
    besieged.putStore()
    author.files.clear()
    for (const [each, content] of honest) author.files.set(each, content)
    await besieged.endure(() => {
      if (besieged.bob.database.chain.hashAt(signed.point.version) !== signed.point.hash) besieged.putStore()
    })
  })
}

/** An honest changeset, whose content is another one under the right name. */
function plantContent(bytes: Uint8Array): Promise<void> {
  return besiege({ newcomer: false }, async (besieged) => {
    const { author, bob } = besieged
    const right = Buffer.from('the right bytes')
    const hash = sha256Of(right)
    const name = contentName(hash, '1'.repeat(24))
    author.commit([
      {
        kind: 'put',
        id: '01900000-0000-7000-9000-00000000bbbb',
        before: null,
        after: author.fileState('new.txt', 'the right bytes'),
      },
      { kind: 'object', hash, size: right.length, name, before: null },
    ])
    author.files.set(name, right)
    besieged.putStore()
    besieged.putObject(name, bytes)
    await besieged.endure(() => {
      expectThat([null, 'the right bytes'].includes(bob.read('new.txt')), 'wrong bytes were written')
      besieged.putObject(name, right)
    })
    expectThat(bob.read('new.txt') === 'the right bytes', 'the right bytes do not arrive')
  })
}

/** Every n-th request of a method, or of all, gets one canned answer and has no effect. */
function answerWrongly(object: Uint8Array): Promise<void> {
  const text = Buffer.from(object)
  const end = text.indexOf('\n')
  const [method = '*', every = '1'] = text.subarray(0, Math.max(0, end)).toString().split(' ')
  const answer = decodeAnswer(text.subarray(end + 1))
  return besiege({ newcomer: false }, async (besieged) => {
    const { author, bob } = besieged
    author.commit([
      {
        kind: 'put',
        id: '01900000-0000-7000-9000-00000000cccc',
        before: null,
        after: author.fileState('new.txt', 'news'),
      },
      ...author.objects('news'),
    ])
    besieged.putStore()
    let asked = 0
    bob.network = async (request, send) => {
      if ((method !== '*' && request.method !== method) || asked++ % Math.max(1, Number(every) || 1) !== 0)
        return send(request)
      // A server that loses what it has acknowledged is beyond what can be survived: then at least it has the effect.
      if ([200, 201, 204].includes(answer.status) && !['GET', 'HEAD', 'PROPFIND'].includes(request.method))
        await send(request)
      return answerOf(answer.status, { ...answer.headers }, request.method === 'HEAD' ? '' : answer.body)
    }
    await besieged.endure(() => {
      bob.network = (request, send) => send(request)
    })
  })
}
