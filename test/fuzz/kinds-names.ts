/** Names in the store, and workspace paths: what is taken for one of ours, and what may touch a disk. */
import path from 'node:path'
import { unsafePathReason } from '../../src/model/path.ts'
import {
  changesetName,
  contentFolder,
  headName,
  heldLockName,
  parseCheckpointName,
  parseContentName,
  parseHead,
  parseHeldLock,
  parseInstanceName,
} from '../../src/remote/layout.ts'
import type { Chance } from './chance.ts'
import { hostilePath, hostileText } from './hostile-values.ts'
import { expectThat, type Kind } from './kind.ts'
import { mutateBytes } from './mutate-bytes.ts'

const hash = 'a1'.repeat(32)
const id = '01900000-0000-7000-8000-00000000000a'
const token = '0123456789abcdef01234567'
const goodNames = [
  `000000000007-${hash}`,
  `000000000000-${'0'.repeat(64)}`,
  `999999999999-${hash}`,
  `a1/${hash}-${token}`,
  `checkpoints/000000000007-${hash}-${token}.db`,
  `${id}-${token}`,
  `held-${id}-${token}`,
  'free',
]

/** A name as it might be listed; also used for the files that are put into a hostile store. */
export function hostileName(chance: Chance): string {
  const good = chance.pick(goodNames)
  switch (chance.int(8)) {
    case 0:
      return hostilePath(chance)
    case 1:
      return hostileText(chance)
    case 2:
      return good.toUpperCase()
    case 3:
      return good + chance.pick(['\n', ' ', '/', '.', '\0', '~', '.tmp', '-', good])
    case 4:
      return chance.pick(['\n', ' ', './', '../', '-', '0', '\ufeff']) + good
    case 5:
      return good.replace(/\d/, chance.pick(['٣', '-', 'g', '', '00', '０']))
    case 6:
      return good
    default:
      return Buffer.from(mutateBytes(Buffer.from(good), chance)).toString()
  }
}

export function nameKinds(): Kind[] {
  return [
    { name: 'name', weight: 4, generate: (chance) => Buffer.from(hostileName(chance)), examine: examineName },
    {
      name: 'path',
      weight: 4,
      generate: (chance) => Buffer.from(hostilePath(chance), 'utf16le'),
      examine: examinePath,
    },
  ]
}

/** What is taken for ours is spelt exactly as we spell it. */
function examineName(bytes: Uint8Array): void {
  const name = Buffer.from(bytes).toString()
  const point = parseHead(name)
  if (point !== null) {
    expectThat(headName(point) === `version/${name}`, 'a head has a second spelling')
    expectThat(/^changes\/\d{9}\/[0-9a-f-]+$/.test(changesetName(point)), 'a head leads to an odd changeset')
  }
  const content = parseContentName(name)
  if (content !== null)
    expectThat(name.startsWith(contentFolder(content)), 'a content lies in a wrong folder')
  const checkpoint = parseCheckpointName(name)
  if (checkpoint !== null) expectThat(/^[a-z0-9/.-]+$/.test(name), 'a checkpoint has an odd name')
  const instance = parseInstanceName(name)
  if (instance !== null) expectThat(name.startsWith(`${instance}-`), 'an instance has a second spelling')
  const holder = parseHeldLock(name)
  if (holder !== null)
    expectThat(
      heldLockName(holder, name.slice(name.lastIndexOf('-') + 1)) === `lock/${name}`,
      'a lock has a second spelling',
    )
}

/** A path that may touch a disk stays inside, and out of the state folder, on every platform. */
function examinePath(bytes: Uint8Array): void {
  const target = Buffer.from(bytes).toString('utf16le')
  if (unsafePathReason(target) !== null) return
  const root = '/home/space'
  const resolved = path.posix.resolve(root, target)
  expectThat(resolved === `${root}/${target}`, `it resolves to ${resolved}`)
  const first = (target.split('/')[0] ?? '').normalize('NFKC').toLowerCase()
  expectThat(first !== '.davit', 'it enters the state folder')
  expectThat(Buffer.from(target).toString() === target, 'it is written under another name')
}
