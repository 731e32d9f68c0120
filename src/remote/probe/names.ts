/** Which names a server keeps as they are. The store's own are lower-case ASCII; the folders above it are the user's. */
import { get, isDone, list, type ProbeContext, put, sameBytes } from './client.ts'
import type { NameFacts, NameFate, OddName } from './facts.ts'

const nameBytesBound = 255

const oddNames: Readonly<Record<OddName, string>> = {
  space: 'a space',
  percent: '100%25 %',
  plus: 'a+b',
  hash: 'a#b?c',
  unicode: 'Grüße 日本 🚣',
  leadingDot: '.hidden',
  trailingDot: 'dot.',
}

export async function probeNames(context: ProbeContext): Promise<NameFacts> {
  const odd = {} as Record<OddName, NameFate>
  for (const [kind, name] of Object.entries(oddNames) as [OddName, string][]) {
    const path = context.folder + encodeURIComponent(name)
    const answer = await put(context, path, kind)
    const found = await get(context, path)
    odd[kind] = !isDone(answer.status) || found.status !== 200 ? 'refused' : 'kept'
    if (found.status === 200 && !sameBytes(found.body, kind)) odd[kind] = 'changed'
  }
  const { listing } = await list(context, context.folder)
  const listed = new Set(listing?.entries.map((entry) => entry.name))
  for (const [kind, name] of Object.entries(oddNames) as [OddName, string][])
    if (odd[kind] === 'kept' && !listed.has(name)) odd[kind] = 'hidden'
  return {
    caseMatters: await areTwoFiles(context, 'case', 'CASE'),
    normalisationMatters: await areTwoFiles(context, 'caf\u00e9', 'cafe\u0301'),
    nameBytesMax: await longestName(context),
    odd,
  }
}

async function areTwoFiles(context: ProbeContext, one: string, other: string): Promise<boolean> {
  const [first, second] = [one, other].map((name) => context.folder + encodeURIComponent(name)) as [
    string,
    string,
  ]
  await put(context, first, 'first')
  await put(context, second, 'second')
  const found = await get(context, first)
  return found.status === 200 && sameBytes(found.body, 'first')
}

async function longestName(context: ProbeContext): Promise<number> {
  const isKept = async (length: number) => {
    const name = `${context.folder}${'n'.repeat(length)}`
    await put(context, name, String(length))
    const found = await get(context, name)
    return found.status === 200 && sameBytes(found.body, String(length))
  }
  if (await isKept(nameBytesBound)) return nameBytesBound
  let kept = 1
  let refused = nameBytesBound
  while (refused - kept > 1) {
    const middle = Math.floor((kept + refused) / 2)
    if (await isKept(middle)) kept = middle
    else refused = middle
  }
  return kept
}
