package moat_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers says which packages of the project each package may import, from the
// words at the bottom to the command on top. Those before the line are pure:
// they read no clock, draw no random number, open nothing, start no goroutine
// and log nothing. A new package needs a row.
var layers = []struct {
	name    string
	imports string
	pure    bool
	std     string // packages of the standard library that a pure package may import all the same
}{
	{name: "flow", pure: true},
	{name: "fault", pure: true},
	{name: "vpc", imports: "flow fault", pure: true},
	{name: "words", imports: "vpc flow", pure: true},
	{name: "iam", imports: "vpc fault", pure: true},
	{name: "trail", imports: "flow vpc", pure: true},
	{name: "seal", pure: true},
	{name: "sigv4", pure: true, std: "net/http"}, // the request is what is signed
	{name: "ec2query", imports: "fault", pure: true},
	{name: "awsquery", imports: "fault ec2query", pure: true},
	{name: "awsjson", imports: "fault ec2query awsquery", pure: true},
	{name: "state", imports: "vpc iam", pure: true},
	{name: "state/statetest", imports: "flow vpc iam state", pure: true, std: "math/rand/v2"},
	{name: "action", imports: "flow fault vpc iam ec2query trail state", pure: true},
	{name: "ec2", imports: "flow fault vpc iam state action", pure: true},
	{name: "iamapi", imports: "fault vpc iam state action", pure: true},
	{name: "sts", imports: "fault vpc iam state action iamapi", pure: true},
	{name: "cloudtrail", imports: "fault ec2query awsquery trail action", pure: true},
	{name: "ec2/ec2test", imports: "fault vpc iam ec2query state action ec2", pure: true, std: "testing"},
	{name: "ruleset", imports: "flow vpc state", pure: true},
	{name: "guardrail", imports: "flow fault vpc state ruleset", pure: true},
	{name: "names", imports: "flow vpc state", pure: true},
	{name: "survey", imports: "flow vpc state words names ruleset", pure: true},
	{name: "explain", imports: "flow vpc state names ruleset", pure: true},
	{name: "change", imports: "flow fault vpc iam ec2query state action ec2 names words", pure: true},
	{name: "awsmodel", imports: "action ec2query awsquery", pure: true},
	{name: "awsargs", imports: "awsmodel", pure: true},
	{name: "awswire", imports: "awsmodel awsargs", pure: true},
	{name: "awsformat", imports: "awsmodel awsargs", pure: true},
	{name: "jmespath", imports: "awsmodel awsargs", pure: true},
	// ———
	{name: "awscli/maketable"},
	{name: "awscli", imports: "action sigv4 awsmodel awsargs awswire awsformat jmespath", std: credentialChain},
	{name: "docs", std: "embed"},
	{name: "test/clause", imports: "docs"},
	{name: "dataplane", imports: "flow vpc ruleset"},
	{name: "dataplane/sim", imports: "flow vpc ruleset dataplane"},
	{name: "dataplane/ebpf", imports: "flow vpc ruleset dataplane"},
	{name: "dataplane/dataplanetest", imports: "flow vpc ruleset dataplane test/clause"},
	{name: "agent", imports: "flow vpc state ruleset dataplane"},
	{name: "store", imports: "vpc iam seal trail state"},
	{name: "server", imports: "flow fault vpc iam seal sigv4 ec2query awsquery awsjson state action ec2 iamapi sts trail cloudtrail store words names survey explain change ruleset guardrail dataplane agent"},
	{name: "cli", imports: "flow fault vpc iam seal sigv4 ec2query awsquery awsjson state action ec2 iamapi sts trail cloudtrail store words names survey explain change ruleset dataplane dataplane/ebpf agent server awscli"},
	{name: "cmd/moat", imports: "cli"},
	{name: "bench/planehost", imports: "ruleset dataplane dataplane/ebpf"},
	{name: "bench", imports: "flow vpc iam sigv4 ec2query state store ruleset dataplane dataplane/sim dataplane/ebpf agent server"},
	{name: "test/moattest"}, // knows the command line only
	{name: "test/etcdtest"},
	{name: "test/ec2client", imports: "sigv4"},
}

// impure are the packages of the standard library that reach outside.
var impure = map[string]string{
	"os": "opens", "os/exec": "opens", "os/signal": "opens", "io/ioutil": "opens", "syscall": "opens", "embed": "opens",
	"net": "opens", "net/http": "opens", "net/rpc": "opens", "net/smtp": "opens", "crypto/tls": "opens", "database/sql": "opens",
	"log": "logs", "log/slog": "logs", "testing": "is a test",
	"crypto/rand": "draws random numbers", "math/rand": "draws random numbers", "math/rand/v2": "draws random numbers",
}

// libraries are the packages of others that a pure package may import.
var libraries = []string{"github.com/tidwall/btree", "github.com/fxamacker/cbor/v2", "golang.org/x/text/width"}

// clock are the functions of package time that read the clock or wait for it.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// The line of ARCHITECTURE.md stays where it is drawn.
func TestImportsPointDown(t *testing.T) {
	rows := map[string]int{}
	for i, l := range layers {
		rows[l.name] = i
	}
	files := sources(t)
	for dir, parsed := range files {
		i, ok := rows[dir]
		if !ok {
			t.Errorf("package %s has no row in layers: say what it may import", dir)
			continue
		}
		l := layers[i]
		may := strings.Fields(l.imports)
		for _, below := range may {
			if j, ok := rows[below]; !ok || j >= i {
				t.Errorf("%s: its row lets it import %s, which is not below it", dir, below)
			}
		}
		for _, f := range parsed {
			for _, fault := range misuses(f, may, l.pure, strings.Fields(l.std)) {
				t.Errorf("%s: %s", dir, fault)
			}
		}
	}
	for _, l := range layers {
		if files[l.name] == nil {
			t.Errorf("layers has a row for %s, which is no package", l.name)
		}
	}
}

// The rules themselves can fail: each of these files breaks one.
func TestImportRulesSeeTheirBreach(t *testing.T) {
	for _, row := range []struct{ wrong, source string }{
		{"imports moat/server", `import _ "moat/server"`},
		{"imports os, which opens", `import _ "os"`},
		{"imports net/http, which opens", `import "net/http"; var _ http.Header`},
		{"imports math/rand/v2, which draws random numbers", `import "math/rand/v2"; func f() int { return rand.Int() }`},
		{"imports log/slog, which logs", `import "log/slog"; func f() { slog.Info("") }`},
		{"imports github.com/google/uuid, which is no library of pure packages", `import _ "github.com/google/uuid"`},
		{"uses time.Now", `import "time"; func f() time.Time { return time.Now() }`},
		{"uses time.Since", `import clock "time"; var f = clock.Since`},
		{"starts a goroutine", `func f() { go f() }`},
	} {
		if got := strings.Join(misuses(parse(t, row.source), []string{"state"}, true, nil), "; "); got != row.wrong {
			t.Errorf("%s\n got %q\nwant %q", row.source, got, row.wrong)
		}
	}
	fine := `import ("time"; "net/netip"; "moat/state"); type T struct { time.Time; netip.Addr; *state.View }; func (t T) After(u time.Time) bool { return t.Time.After(u) }`
	if got := misuses(parse(t, fine), []string{"state"}, true, nil); got != nil {
		t.Errorf("a pure file: got %q, want nothing", got)
	}
	sdk := "imports github.com/aws/aws-sdk-go-v2/aws: the product needs no AWS SDK"
	if got := misuses(parse(t, `import _ "github.com/aws/aws-sdk-go-v2/aws"`), nil, false, nil); !slices.Equal(got, []string{sdk}) {
		t.Errorf("the SDK: got %q, want %q", got, sdk)
	}
	if got := misuses(parse(t, `import "time"; func f() { go f(); time.Now() }`), nil, false, nil); got != nil {
		t.Errorf("a package with effects: got %q, want nothing", got)
	}
}

// go.mod is what the product is built from; the SDK belongs to test modules,
// but for how a client finds its credentials.
func TestProductNeedsNoAWSSDK(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for line := range strings.SplitSeq(string(mod), "\n") {
		path := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), "// indirect"))
		path, _, _ = strings.Cut(path, " ")
		found = found || path == "github.com/aws/aws-sdk-go-v2/config"
		if strings.HasPrefix(path, "github.com/aws/aws-sdk-go-v2/service/") && !slices.Contains(credentialServices, path) {
			t.Errorf("go.mod names %s", path)
		}
	}
	if !found {
		t.Error("go.mod does not name the module that finds credentials: has this test a purpose?")
	}
}

// credentialServices are the clients that the library for credentials brings
// along: to assume a role, and to sign in.
var credentialServices = []string{
	"github.com/aws/aws-sdk-go-v2/service/sts", "github.com/aws/aws-sdk-go-v2/service/sso", "github.com/aws/aws-sdk-go-v2/service/ssooidc",
	"github.com/aws/aws-sdk-go-v2/service/signin", "github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding",
	"github.com/aws/aws-sdk-go-v2/service/internal/presigned-url",
}

// credentialChain are the packages of the SDK by which the command line finds
// its credentials.
const credentialChain = "github.com/aws/aws-sdk-go-v2/aws github.com/aws/aws-sdk-go-v2/config " +
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

// misuses gives what is wrong with a file of a package that may import the
// given packages of the project.
func misuses(f *ast.File, may []string, pure bool, std []string) (wrong []string) {
	timeName := ""
	for _, spec := range f.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if own, ok := strings.CutPrefix(path, "moat/"); ok && !slices.Contains(may, own) {
			wrong = append(wrong, "imports "+path)
		}
		if strings.HasPrefix(path, "github.com/aws/") && !slices.Contains(std, path) {
			wrong = append(wrong, "imports "+path+": the product needs no AWS SDK")
		}
		if what := impure[path]; pure && what != "" && !slices.Contains(std, path) {
			wrong = append(wrong, "imports "+path+", which "+what)
		}
		if first, _, _ := strings.Cut(path, "/"); pure && strings.Contains(first, ".") && !slices.Contains(libraries, path) {
			wrong = append(wrong, "imports "+path+", which is no library of pure packages")
		}
		if path == "time" {
			timeName = "time"
			if spec.Name != nil {
				timeName = spec.Name.Name
			}
		}
	}
	if !pure {
		return wrong
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			wrong = append(wrong, "starts a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == timeName && slices.Contains(clock, n.Sel.Name) {
				wrong = append(wrong, "uses time."+n.Sel.Name)
			}
		}
		return true
	})
	return wrong
}

// sources gives the files of the product by directory: those of this module
// that are no tests.
func sources(t *testing.T) map[string][]*ast.File {
	t.Helper()
	files := map[string][]*ast.File{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." {
			_, modErr := os.Stat(filepath.Join(path, "go.mod"))
			if modErr == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		files[dir] = append(files[dir], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no sources found")
	}
	return files
}

func parse(t *testing.T, source string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x;"+source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
