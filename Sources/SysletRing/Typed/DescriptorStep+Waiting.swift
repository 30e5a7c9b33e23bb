// What waits for the other side without a thread of its own: files sent to sockets, and connections made.

internal import CLiburing
internal import Glibc
public import SystemPackage

extension SysletValue where Wrapped == FileDescriptor {
  /// Sends `count` bytes of a file to this socket, from `offset` on: how many, which are fewer where the file ends before. sendfile(2).
  ///
  /// Where the socket takes no more, the program waits until it does, with no thread of its own: until the steps are done the socket is
  /// set not to wait itself (`O_NONBLOCK`), so that nobody else may use it meanwhile. A socket that is set so already stays so. The file's own
  /// position is neither used nor moved.
  @discardableResult
  public func sendFile(
    _ file: SysletValue<FileDescriptor>, fromAbsoluteOffset offset: SysletValue<Int> = 0, count: SysletValue<Int>,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<Int> {
    let step = DescriptorStep(self, "sendFile", fileID, line)
    let (builder, place) = (step.builder, step.place)
    let (file, offset, count) = (step.operand(file), step.operand(offset), step.operand(count))
    let (left, sent) = (builder.newWord(), builder.newWord())
    let position = Operand.address(region: builder.newRegion(8))
    builder.word(.store8, position, offset, place)
    builder.word(.move, count, into: left, place)
    builder.word(.move, .zero, into: sent, place)
    let room = step.pollForWriting()
    let flags = builder.call(
      SystemCall.fcntl, [step.descriptor, .integer(F_GETFL)], step.name, place, descriptor: step.descriptor)
    let isSet = builder.word(.and, .word(flags), .integer(O_NONBLOCK), place)

    func transfer(_ builder: SysletBuilder) {
      let moved = builder.newWord()
      let loop = builder.record(.loop, place) {
        // An offset and a count beyond what a file may have are refused.
        let part = builder.word(.minimum, .word(left), .integer(1 << 30), place)
        step.callUnchecked(SystemCall.sendfile, [step.descriptor, file, position, .word(part)], into: moved)
        let isFull = step.compare(.word(moved), .integer(-EAGAIN), equal: true)
        builder.append(
          .when(
            step.compare(.word(moved), .zero, less: true),
            builder.record(.branch, place) {
              builder.append(
                .when(
                  isFull,
                  builder.record(.branch, place) { step.wait(for: room) }, builder.failing(.word(moved), step.name, place, step.descriptor)),
                place)
            },
            builder.record(.branch, place) {
              builder.word(.add, .word(sent), .word(moved), into: sent, place)
              builder.word(.subtract, .word(left), .word(moved), into: left, place)
            }), place)
        // The file has ended, or all is sent. What has waited tries again.
        builder.append(.exit(step.compare(.word(moved), .zero, equal: true), ObjectIdentifier(builder.block)), place)
        builder.append(.exit(step.compare(.word(left), .zero, less: true, equal: true), ObjectIdentifier(builder.block)), place)
      }
      builder.append(.loop(loop), place)
    }
    let isWaiting = step.compare(.word(isSet), .zero, equal: true)
    builder.append(
      .when(
        isWaiting,
        builder.record(.branch, place) { step.withoutWaiting { transfer(builder) } }, builder.record(.branch, place) { transfer(builder) }),
      place)
    return builder.value(sent, step.name, place)
  }
}

extension DescriptorStep {
  /// A call whose failure is a result like any other.
  func callUnchecked(_ number: Int, _ arguments: [Operand], into word: Int) {
    append(
      .call(
        CallNode(
          number: number, arguments: arguments, result: word, name: name, place: place, descriptor: descriptor, mayFail: false)))
  }

  func compare(_ left: Operand, _ right: Operand, less: Bool = false, equal: Bool = false) -> Comparison {
    Comparison(left: left, right: right, holdsForLess: less, holdsForEqual: equal, holdsForGreater: false)
  }

  /// The address of a struct pollfd that asks whether the descriptor takes bytes.
  fileprivate func pollForWriting() -> Operand {
    let entry = Operand.address(region: builder.newRegion(8))
    // The descriptor, and POLLOUT.
    let wanted = builder.word(.add, descriptor, .integer(4 << 32), place)
    builder.word(.store8, entry, .word(wanted), place)
    return entry
  }

  fileprivate func wait(for entry: Operand) {
    builder.call(SystemCall.poll, [entry, .integer(1), .integer(-1)], name, place, descriptor: descriptor)
  }

  /// connect(2), EINPROGRESS: when the socket takes bytes, SO_ERROR tells what has become of it.
  func connectWithoutWaiting(_ address: SysletValue<SysletSocketAddress>) {
    let (address, count) = (operand(address), address.count ?? .zero)
    let (result, outcome) = (builder.newWord(), builder.newRegion(8))
    withoutWaiting {
      callUnchecked(SystemCall.connect, [descriptor, address, count], into: result)
      let isUnderWay = compare(.word(result), .integer(-EINPROGRESS), equal: true)
      append(
        .when(
          isUnderWay,
          builder.record(.branch, place) {
            wait(for: pollForWriting())
            let size = Operand.address(region: builder.newRegion(8))
            builder.word(.store8, .address(region: outcome), .zero, place)
            builder.word(.store8, size, .integer(4), place)
            builder.call(
              SystemCall.getsockopt, [descriptor, .integer(SOL_SOCKET), .integer(SO_ERROR), .address(region: outcome), size], name, place,
              descriptor: descriptor)
            let error = builder.word(.load4, .address(region: outcome), .zero, place)
            builder.word(.subtract, .zero, .word(error), into: result, place)
          }, builder.record(.branch, place) {}))
      append(
        .when(
          compare(.word(result), .zero, less: true), builder.failing(.word(result), name, place, descriptor),
          builder.record(.branch, place) {}))
    }
  }

  /// The steps of `body`, in a block of their own: until that ends, however it does, calls of the socket do not wait.
  fileprivate func withoutWaiting(_ body: () -> Void) {
    let always = compare(.zero, .zero, equal: true)
    append(
      .when(
        always,
        builder.record(.branch, place) {
          setWaiting(false)
          append(.ensure(builder.record(.cleanUp, place) { setWaiting(true) }))
          body()
        }, builder.record(.branch, place) {}))
  }

  /// Whether calls of the socket wait. FIONBIO changes this alone of its flags.
  private func setWaiting(_ isWaiting: Bool) {
    let value = builder.words([isWaiting ? 0 : 1])
    callUnchecked(SystemCall.ioctl, [descriptor, .integer(FIONBIO), .address(region: value)], into: builder.newWord())
  }
}
