/** The kernel's sleeping locks. */
export { Mutex as KernelMutex } from '../sim/mutex.js';
