import { expect, test } from 'vitest'
import { byMethod, contentsSent, expectQuiet, openPair, syncInTurn } from '../../support/replica.ts'

const hundred = Object.fromEntries(
  Array.from({ length: 100 }, (_, index) => [`folder/${index}.txt`, `content ${index}`]),
)

test('that nothing changed is established by exactly one HEAD', async () => {
  const { ann, bob } = await openPair(hundred)
  await expectQuiet(ann, bob)
  for (let again = 0; again < 3; again++) {
    const sent = await bob.sentDuring(() => bob.sync())
    expect(sent.map(({ method }) => method)).toEqual(['HEAD'])
  }
  const summary = await bob.sync()
  expect(summary).toMatchObject({ requests: 1, bytesSent: 0, uploaded: 0, downloaded: 0 })
})

test('once a minute the names are listed instead', async () => {
  const { ann } = await openPair(hundred)
  await expectQuiet(ann)
  ann.clock.advance(61_000)
  expect(byMethod(await ann.sentDuring(() => ann.sync()))).toEqual({ PROPFIND: 1 })
  expect(byMethod(await ann.sentDuring(() => ann.sync()))).toEqual({ HEAD: 1 })
})

test('ten edits among a hundred files are ten contents, one changeset and the requests of one commit', async () => {
  const { ann, bob } = await openPair(hundred)
  await expectQuiet(ann, bob)
  for (let index = 0; index < 10; index++) ann.write(`folder/${index}.txt`, `edited ${index}`)
  const sent = await ann.sentDuring(() => syncInTurn(ann))
  expect(contentsSent(sent)).toHaveLength(10)
  const others = sent.filter(({ name, status }) => !/^[0-9a-f]{2}\//.test(name) && status !== 409)
  expect(others.map(({ method, name }) => `${method} ${name.split('/')[0]}/`)).toEqual([
    'HEAD version/',
    'PUT changes/',
    'MOVE version/',
    'PROPFIND version/',
  ])
  // To take them in: the name, the changeset, and each content.
  const taken = await bob.sentDuring(() => syncInTurn(bob))
  expect(taken.filter(({ name }) => /^[0-9a-f]{2}\//.test(name))).toHaveLength(10)
  expect(byMethod(taken.filter(({ name }) => !/^[0-9a-f]{2}\//.test(name)))).toEqual({
    HEAD: 1,
    PROPFIND: 1,
    GET: 1,
  })
})

test('a label, a rename and a deletion are one changeset and no content', async () => {
  const { ann, bob } = await openPair(hundred)
  await expectQuiet(ann, bob)
  ann.setMetadata('folder/1.txt', { labels: ['x'] })
  ann.move('folder/2.txt', 'elsewhere/2.txt')
  ann.remove('folder/3.txt')
  const sent = await ann.sentDuring(() => syncInTurn(ann))
  expect(byMethod(sent)).toEqual({ HEAD: 1, PUT: 1, MOVE: 1, PROPFIND: 1 })
  expect(byMethod(await bob.sentDuring(() => syncInTurn(bob)))).toEqual({ HEAD: 1, PROPFIND: 1, GET: 1 })
})
