package pod

import (
	"reflect"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

func TestConfined(t *testing.T) {
	set := Settings{SeccompRoot: "/etc/seccomp", AppArmor: true}
	strict := set
	strict.SeccompDefault = true
	local := func(path string) *v1.SeccompProfile {
		return &v1.SeccompProfile{Type: v1.SeccompProfileTypeLocalhost, LocalhostProfile: &path}
	}
	for name, c := range map[string]struct {
		pod  v1.PodSecurityContext
		own  v1.SecurityContext
		set  Settings
		want sandbox.Security
		bad  bool
	}{
		"nothing": {want: sandbox.Security{Seccomp: "unconfined"}, set: set},
		"default": {want: sandbox.Security{}, set: strict},
		"explicit": {own: v1.SecurityContext{SeccompProfile: &v1.SeccompProfile{Type: v1.SeccompProfileTypeUnconfined}},
			want: sandbox.Security{Seccomp: "unconfined"}, set: strict},
		"own first": {pod: v1.PodSecurityContext{SeccompProfile: local("a.json")},
			own: v1.SecurityContext{SeccompProfile: &v1.SeccompProfile{Type: v1.SeccompProfileTypeRuntimeDefault}}, set: set},
		"local": {pod: v1.PodSecurityContext{SeccompProfile: local("p/a.json")}, want: sandbox.Security{Seccomp: "/etc/seccomp/p/a.json"}, set: set},
		"away":  {pod: v1.PodSecurityContext{SeccompProfile: local("../a.json")}, bad: true, set: set},
		"privileged": {own: v1.SecurityContext{Privileged: new(true), SeccompProfile: local("a.json"),
			AppArmorProfile: &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeLocalhost, LocalhostProfile: new("p")}},
			want: sandbox.Security{Privileged: true, Seccomp: "unconfined"}, set: set},
		"labels": {pod: v1.PodSecurityContext{SELinuxOptions: &v1.SELinuxOptions{Level: "s0"}},
			own:  v1.SecurityContext{SELinuxOptions: &v1.SELinuxOptions{User: "u", Role: "r", Type: "t", Level: "s0:c1"}},
			want: sandbox.Security{SELinux: []string{"user:u", "role:r", "type:t", "level:s0:c1"}}, set: strict},
		"armour": {pod: v1.PodSecurityContext{AppArmorProfile: &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeLocalhost, LocalhostProfile: new("p")}},
			want: sandbox.Security{AppArmor: "p"}, set: strict},
		"no armour": {own: v1.SecurityContext{AppArmorProfile: &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeUnconfined}},
			want: sandbox.Security{AppArmor: "unconfined"}, set: strict},
		"usual armour": {own: v1.SecurityContext{AppArmorProfile: &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeRuntimeDefault}}, set: strict},
		"host without": {own: v1.SecurityContext{AppArmorProfile: &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeUnconfined}}, set: Settings{SeccompDefault: true}},
		"rest": {own: v1.SecurityContext{AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), ProcMount: new(v1.UnmaskedProcMount),
			Capabilities: &v1.Capabilities{Add: []v1.Capability{"A"}, Drop: []v1.Capability{"ALL"}}}, set: strict,
			want: sandbox.Security{NoNewPrivileges: true, ReadOnlyRoot: true, UnmaskProc: true, AddCapabilities: []string{"A"}, DropCapabilities: []string{"ALL"}}},
	} {
		p := &v1.Pod{Spec: v1.PodSpec{SecurityContext: &c.pod}}
		got, err := confined(effective(p, &v1.Container{SecurityContext: &c.own}), c.set)
		if (err != nil) != c.bad || err == nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

func TestUsersAreTheirPodsOnly(t *testing.T) {
	var u users
	a, _ := u.take("a")
	b, _ := u.take("b")
	if again, _ := u.take("a"); a != firstUser || b != a+sandbox.UserRange || again != a {
		t.Errorf("took %d, %d, %d", a, b, again)
	}
	u.saw([]sandbox.Pod{{UID: "c", Users: b + sandbox.UserRange}, {UID: "d"}}, func(uid types.UID) bool { return uid == "b" })
	if c, _ := u.take("e"); c != a {
		t.Errorf("the range of a pod that is gone was not given again, but %d", c)
	}
	if d, _ := u.take("f"); d != b+2*sandbox.UserRange {
		t.Errorf("got %d, which is another pod's", d)
	}
	for i := len(u.byPod); i < (lastUser-firstUser)/sandbox.UserRange; i++ {
		if _, err := u.take(types.UID(decimal(int64(i)))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := u.take("late"); err == nil {
		t.Error("took one more than there are")
	}
}
