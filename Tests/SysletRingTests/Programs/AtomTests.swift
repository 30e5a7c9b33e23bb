// The two layouts as C and Swift see them.

import CLiburing
import SysletRing
import Testing

@Suite("Atoms", .leavesNothingBehind)
struct AtomTests {
  @Test("Both layouts are 80 bytes, with their fields where the kernel interface of 2007 has them")
  func offsets() {
    #expect(unsafe MemoryLayout<Atom>.size == Program.atomSize)
    #expect(unsafe MemoryLayout<IndirectAtom>.size == Program.atomSize)
    #expect(unsafe MemoryLayout<Atom>.stride == Program.atomSize)
    #expect(unsafe MemoryLayout<Atom>.offset(of: \.flags) == Program.Offset.flags)
    #expect(unsafe MemoryLayout<Atom>.offset(of: \.nr) == Program.Offset.number)
    #expect(unsafe MemoryLayout<Atom>.offset(of: \.nparams) == Program.Offset.argumentCount)
    #expect(unsafe MemoryLayout<Atom>.offset(of: \.pmap) == Program.Offset.pointers)
    #expect(unsafe MemoryLayout<Atom>.offset(of: \.ret_ptr) == Program.Offset.result)
    #expect(unsafe MemoryLayout<Atom>.offset(of: \.next) == Program.Offset.next)
    #expect(unsafe MemoryLayout<Atom>.offset(of: \.args) == Program.Offset.arguments)
    #expect(unsafe MemoryLayout<Atom>.offset(of: \.`private`) == Program.Offset.userWord)
    #expect(unsafe MemoryLayout<IndirectAtom>.offset(of: \.nr) == Program.Offset.number)
    #expect(unsafe MemoryLayout<IndirectAtom>.offset(of: \.ret_ptr) == Program.Offset.result)
    #expect(unsafe MemoryLayout<IndirectAtom>.offset(of: \.next) == Program.Offset.next)
    #expect(unsafe MemoryLayout<IndirectAtom>.offset(of: \.arg_ptr) == Program.Offset.arguments)
    #expect(unsafe MemoryLayout<IndirectAtom>.offset(of: \.`private`) == Program.Offset.userWord)
  }

  @Test("The initialiser of a direct atom fills every field")
  func directAtom() {
    let (result, variable) = (Arena(), Arena())
    let (word, argument) = (result.word(0), variable.word(5))
    var next = unsafe Atom(SystemCall.getpid)
    unsafe withUnsafeMutablePointer(to: &next) { next in
      let atom = unsafe Atom(
        SystemCall.openat, UInt64(argument: -100), UInt64(argument: argument.pointer), 3, flags: [.async, .stopOnNegative],
        pointers: 0b10, result: word.pointer, next: next)
      #expect(unsafe atom.flags == 0x21)
      #expect(unsafe Int(atom.nr) == SystemCall.openat)
      #expect(unsafe atom.nparams == 3)
      #expect(unsafe atom.pmap == 2)
      #expect(unsafe atom.ret_ptr == word.pointer)
      #expect(unsafe atom.next == next)
      #expect(unsafe atom.args.0 == 0xffff_ffff_ffff_ff9c)
      #expect(unsafe atom.args.1 == argument.address)
      #expect(unsafe atom.args.2 == 3)
      #expect(unsafe atom.args.5 == 0)
      #expect(unsafe atom.`private` == nil)
    }
  }

  @Test("The initialiser of an indirect atom fills every field, and a nil ends the list")
  func indirectAtom() {
    let arena = Arena()
    let (word, argument) = (arena.word(0), arena.word(5))
    unsafe argument.pointer.withMemoryRebound(to: UInt.self, capacity: 1) { pointer in
      let atom = unsafe IndirectAtom(SystemCall.read, pointer, nil, pointer, flags: .sync, result: word.pointer)
      #expect(unsafe atom.flags == 2)
      #expect(unsafe Int(atom.nr) == SystemCall.read)
      #expect(unsafe atom.ret_ptr == word.pointer)
      #expect(unsafe atom.next == nil)
      #expect(unsafe atom.arg_ptr.0 == pointer)
      #expect(unsafe atom.arg_ptr.1 == nil)
      #expect(unsafe atom.arg_ptr.2 == pointer)
      #expect(unsafe atom.arg_ptr.5 == nil)
    }
  }

  @Test("A number that does not fit the direct layout becomes one that no call has")
  func numberTooLarge() {
    #expect(unsafe Atom(70_000).nr == .max)
    #expect(unsafe Atom(-1).nr == .max)
    #expect(unsafe IndirectAtom(-1).nr == .max)
  }

  @Test("The flags have the values of the kernel patch")
  func flags() {
    let flags: [AtomFlags] = [
      .async, .sync, .noComplete, .stopOnNonzero, .stopOnZero, .stopOnNegative, .stopOnNonPositive, .skipToNextOnStop,
    ]
    #expect(flags.map(\.rawValue) == [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80])
    #expect(umemAdd == Int(SYSLET_NR_umem_add))
    #expect(noOperation == Int(SYSLET_NR_nop))
  }
}
