package ebpf

import (
	"testing"

	"github.com/cilium/ebpf/asm"
)

// Kernels before 6.9 give each function of a chain of calls a multiple of 32
// bytes of stack, and the chain 512: the programs must fit there, though newer
// kernels take more. This counts as check_max_stack_depth of Linux 6.1 does.
func TestStackFitsOldKernels(t *testing.T) {
	const limit, frames = 512, 8
	spec, err := loadBpf()
	if err != nil {
		t.Fatal(err)
	}
	type function struct {
		size  int
		calls []string
	}
	for name, program := range spec.Programs {
		functions := map[string]*function{}
		var first, in string
		at := map[asm.Register]int{} // what a register that points into the frame has been given
		for _, ins := range program.Instructions {
			if s := ins.Symbol(); s != "" {
				if first == "" {
					first = s
				}
				in, functions[s] = s, &function{}
				clear(at)
			}
			f := functions[in]
			use := func(offset int) { f.size = max(f.size, -offset) }
			switch class := ins.OpCode.Class(); {
			case ins.IsFunctionReference():
				f.calls = append(f.calls, ins.Reference())
			case class.IsLoad() && ins.Src == asm.R10, class.IsStore() && ins.Dst == asm.R10:
				use(int(ins.Offset))
			case ins.OpCode == asm.Mov.Op(asm.RegSource) && ins.Src == asm.R10:
				at[ins.Dst] = 1
				use(0)
			case ins.OpCode == asm.Add.Op(asm.ImmSource) && at[ins.Dst] == 1:
				use(int(ins.Constant))
				delete(at, ins.Dst)
			case class.IsALU() || class.IsLoad():
				delete(at, ins.Dst)
			}
		}
		var deepest func(name string, depth int) (int, []string)
		deepest = func(name string, depth int) (int, []string) {
			f := functions[name]
			if f == nil {
				t.Fatalf("%s: what is called is not there", name)
			}
			if depth > frames {
				t.Errorf("%s: more than %d calls within each other", name, frames)
				return 0, nil
			}
			most, chain := 0, []string(nil)
			for _, c := range f.calls {
				if n, way := deepest(c, depth+1); n > most {
					most, chain = n, way
				}
			}
			return most + (max(f.size, 1)+31)/32*32, append([]string{name}, chain...)
		}
		size, chain := deepest(first, 1)
		t.Logf("%s takes %d bytes by %v", name, size, chain)
		if size > limit {
			t.Errorf("%s takes %d bytes of stack, and Linux 6.1 has %d: %v", name, size, limit, chain)
		}
	}
}

// Kernels before 6.9 refuse a loop whose last instruction runs on into its first,
// instead of jumping there, and clang makes such a loop of some sources. This
// walks the instructions as check_cfg of Linux 6.1 does.
func TestLoopsFitOldKernels(t *testing.T) {
	spec, err := loadBpf()
	if err != nil {
		t.Fatal(err)
	}
	for name, program := range spec.Programs {
		all := program.Instructions
		index := map[int]int{} // by offset
		var offset []int
		for i, at := 0, 0; i < len(all); i++ {
			index[at] = i
			offset = append(offset, at)
			at += int(all[i].Size()) / asm.InstructionSize
		}
		const unknown, onPath, done = 0, 1, 2
		state := make([]int, len(all))
		var function string
		var visit func(i int)
		visit = func(i int) {
			state[i] = onPath
			edge := func(to int, jump bool) {
				if !jump && state[to] == onPath {
					t.Errorf("%s: a loop in %s is closed without a jump, from instruction %d to %d: %v", name, function, offset[i], offset[to], all[i].Source())
				}
				if state[to] == unknown {
					visit(to)
				}
			}
			ins := all[i]
			op, isJump := ins.OpCode.JumpOp(), ins.OpCode.Class().IsJump()
			switch {
			case isJump && op == asm.Exit:
			case isJump && op == asm.Ja:
				edge(index[offset[i]+1+int(ins.Offset)], true)
			case isJump && op != asm.Call:
				edge(i+1, true)
				edge(index[offset[i]+1+int(ins.Offset)], true)
			default:
				edge(i+1, false)
			}
			state[i] = done
		}
		for i := range all {
			if s := all[i].Symbol(); s != "" && state[i] == unknown {
				function = s
				visit(i)
			}
		}
	}
}
