// The browser's own choice of files.

export function pickFiles(accept: string, several = true): Promise<File[]> {
  return new Promise((done) => {
    const input = Object.assign(document.createElement('input'), { type: 'file', multiple: several, accept, hidden: true })
    input.addEventListener('change', () => { done([...(input.files ?? [])]); input.remove() })
    input.addEventListener('cancel', () => { done([]); input.remove() })
    document.body.append(input)
    input.click()
  })
}
