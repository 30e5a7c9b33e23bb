// Running a piece of a test on another thread or in a forked child.

import CTestSupport

/// A body that C can call, and what it gave.
private final class Call {
  let body: () -> Void
  init(_ body: @escaping () -> Void) { self.body = body }
}

/// Runs `body` on another thread, and gives what it returns once the thread has ended.
func onAnotherThread<Value>(_ body: () -> Value) -> Value {
  withoutActuallyEscaping(body) { body in
    var value: Value?
    let call = Call { value = body() }
    // The thread has ended when test_on_thread returns, so `call` outlives its use.
    let result = unsafe test_on_thread(
      { context in unsafe Unmanaged<Call>.fromOpaque(context!).takeUnretainedValue().body() },
      Unmanaged.passUnretained(call).toOpaque())
    precondition(result == 0)
    return withExtendedLifetime(call) { value! }
  }
}

private final class ChildCall {
  let body: () -> Int32
  init(_ body: @escaping () -> Int32) { self.body = body }
}

/// Runs `body` in a forked child and gives its exit status. The child has one thread, whatever locks others held when it was forked:
/// only in processes where no other thread does anything.
func inForkedChild(_ body: () -> Int32) -> Int32 {
  withoutActuallyEscaping(body) { body in
    let call = ChildCall(body)
    let status = unsafe test_in_child(
      { context in unsafe Unmanaged<ChildCall>.fromOpaque(context!).takeUnretainedValue().body() },
      Unmanaged.passUnretained(call).toOpaque())
    return withExtendedLifetime(call) { status }
  }
}
