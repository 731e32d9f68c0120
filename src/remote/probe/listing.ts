/** PROPFIND with Depth 1: whether everything is named, and how. */
import { ask, list, type ProbeContext, put } from './client.ts'
import type { ListingFacts } from './facts.ts'

export async function probeListing(context: ProbeContext): Promise<ListingFacts> {
  const { folder } = context
  await ask(context, { method: 'MKCOL', name: `${folder}inner/` })
  await put(context, `${folder}inner/deep`, 'deep')
  for (const name of ['a', 'b-2', '000000000001-c']) await put(context, folder + name, name)
  const told = await list(context, folder)
  const missing = await list(context, `${folder}missing/`)
  const entries = told.listing?.entries ?? []
  return {
    status: told.status,
    readable: told.listing !== null,
    listsItself: told.listing?.hasOwn === true,
    listsAll:
      entries
        .map(({ name }) => name)
        .sort()
        .join() === '000000000001-c,a,b-2,inner',
    marksFolders: entries.every(({ name, isCollection }) => isCollection === (name === 'inner')),
    tooDeep: told.listing?.ignored.some((reason) => /deeper/.test(reason)) === true,
    missing: missing.status,
    hrefs: hrefForm(told.text),
  }
}

function hrefForm(text: string): ListingFacts['hrefs'] {
  const [, href = ''] = /<(?:[\w-]+:)?href[^>]*>\s*([^<\s]*)/.exec(text) ?? []
  if (href.startsWith('/')) return 'path'
  return /^https?:/i.test(href) ? 'url' : 'other'
}
