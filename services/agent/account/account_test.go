package account

import (
	"fmt"
	"testing"
)

func TestResolve(t *testing.T) {
	passwd := "root:x:0:0:root:/root:/bin/sh\n# app:x:9:9::/:\nbroken\nbad:x:-4:1::/:\napp:x:1001:1002:App:/home:/bin/sh\n12:x:77:78::/:\n"
	group := "root:x:0:\nstaff:x:50:app,root\nextra:x:5000:other,app\nbad:x:many:app\n60:x:61:\n"
	for _, c := range []struct{ user, want string }{
		{"", "{0 0 [50]}"},
		{"root", "{0 0 [50]}"},
		{"app", "{1001 1002 [50 5000]}"},
		{"1001", "{1001 1002 [50 5000]}"},
		{"4242", "{4242 0 []}"},
		{"app:staff", "{1001 50 [50 5000]}"},
		{"1001:7", "{1001 7 [50 5000]}"},
		{"4242:7", "{4242 7 []}"},
		{"app:", "{1001 1002 [50 5000]}"},
		{"12", "{77 78 []}"},
		{"app:60", "{1001 61 [50 5000]}"},
		{"nobody", "unable to find user nobody: no matching entries in passwd file"},
		{"app:none", "unable to find group none: no matching entries in group file"},
		{"bad", "unable to find user bad: no matching entries in passwd file"},
	} {
		id, err := Resolve(c.user, []byte(passwd), []byte(group))
		got := fmt.Sprint(id)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q: got %s, want %s", c.user, got, c.want)
		}
	}
	if id, err := Resolve("5:6", nil, nil); err != nil || fmt.Sprint(id) != "{5 6 []}" {
		t.Errorf("without files: %v %v", id, err)
	}
}
