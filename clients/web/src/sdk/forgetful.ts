// An IndexedDB that forgets when its worker ends, for browsers that keep nothing: in place of the browser's, for this worker.

import 'fake-indexeddb/auto'
