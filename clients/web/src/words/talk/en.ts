// Everything around talking, loaded at the start: the list, the timeline, the composer, the connection.

const en = {
  appName: 'Startalk',
} as const

export default en
