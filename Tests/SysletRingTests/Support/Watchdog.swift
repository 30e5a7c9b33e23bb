// The deadline of a test that has a process for itself, for bugs that would make it wait for ever.

import Foundation
import Glibc

extension ProcessSettings {
  /// Ends the process with status 99 if it is still there after `seconds`. A thread and not alarm(2): the threads that tests run on block
  /// its signal.
  static func endIfStuck(after seconds: UInt32 = 60) {
    Thread.detachNewThread {
      // A change of the process's user interrupts each of its threads.
      var left = seconds
      while left > 0 { left = sleep(left) }
      _exit(99)
    }
  }
}
