/** The scenarios that are explored, smallest first. Each is exhaustive within its faults. */
import type { Scenario } from './scenario.ts'

const field = { writers: 2, begins: 'joined', edit: 'field' } as const
const folder = { writers: 2, begins: 'joined', edit: 'folder' } as const

export const scenarios: readonly Scenario[] = [
  { name: 'plain', about: 'Nothing goes wrong; every order of steps.', ...field, faults: {} },
  {
    name: 'polls',
    about: 'Writers ask for the head that they know instead of listing.',
    ...field,
    polls: true,
    faults: { late: 1 },
  },
  {
    name: 'listings',
    about:
      'Listings show any part of what changes while they are made: no name, the old one, the new one, both.',
    ...field,
    spans: true,
    faults: { late: 1 },
  },
  {
    name: 'network',
    about: 'Requests and answers are lost, requests arrive late or twice, the server reports what is not so.',
    ...field,
    faults: { lost: 1, late: 1, falseSuccesses: 1, falseFailures: 1 },
  },
  {
    name: 'crashes',
    about: 'Writers crash at any step, edit the same field again, and start with what they had stored.',
    ...field,
    editsAgain: true,
    faults: { crashes: 2 },
  },
  {
    name: 'crashes-network',
    about:
      'The same, while what they had sent may arrive late, and the server reports failures that were none.',
    ...field,
    editsAgain: true,
    faults: { crashes: 1, late: 1, falseFailures: 1 },
  },
  {
    name: 'unanswered',
    about: 'Questions get no answer, runs break off and are begun again, with a crash and a further edit.',
    ...field,
    editsAgain: true,
    faults: { unanswered: 2, crashes: 1 },
  },
  {
    name: 'turns',
    about:
      'Both work under the maintenance lock, which each breaks after any pause of the other; one crashes with it.',
    ...field,
    takesTurns: true,
    faults: { crashes: 1 },
  },
  {
    name: 'losses',
    about: 'A writer loses its state folder at any step and joins anew with its workspace.',
    ...folder,
    faults: { losses: 1, late: 1 },
  },
  {
    name: 'uploads',
    about: 'Changesets are followed: uploads are cut, lost, late; reads meet what is there.',
    ...field,
    followsObjects: true,
    faults: { cuts: 1, lost: 1 },
  },
  {
    name: 'collection',
    about:
      'A collector drops and deletes changesets that no chain holds; its DELETEs arrive whenever they like.',
    ...field,
    followsObjects: true,
    faults: { crashes: 1, collections: 1 },
  },
  { name: 'creators', about: 'All create one store at once.', ...folder, begins: 'empty', faults: {} },
  {
    name: 'creators-crash',
    about: 'The same, and one crashes.',
    ...folder,
    begins: 'empty',
    faults: { crashes: 1 },
  },
  {
    name: 'copies',
    about: "The server's MOVE copies and deletes, and others come in between.",
    ...field,
    copies: true,
    faults: {},
  },
  {
    name: 'copies-crash',
    about: 'The same, and the server dies in between: both names stay.',
    ...field,
    copies: true,
    faults: { serverCrashes: 1 },
  },
  {
    name: 'late-first-head',
    about:
      'The first head, sent by somebody who meant to create the store too, arrives after commits were made.',
    ...folder,
    begins: 'created',
    lateFirstHead: true,
    forks: true,
    faults: {},
  },
  {
    name: 'broken-server',
    about:
      'A late MOVE makes its target although its source is gone: real forks, to be taken in without loss.',
    ...field,
    forks: true,
    faults: { late: 1, ghosts: 1 },
  },
  { name: 'three', about: 'Three writers, and nothing goes wrong.', ...field, writers: 3, faults: {} },
  {
    name: 'three-crash',
    about: 'Three writers, of which one crashes and edits the same field again.',
    ...field,
    writers: 3,
    editsAgain: true,
    faults: { crashes: 1 },
  },
  {
    name: 'three-network',
    about: 'Three writers; a request arrives late or twice, a loser is told that it won.',
    ...field,
    writers: 3,
    faults: { late: 1, falseSuccesses: 1 },
  },
]
