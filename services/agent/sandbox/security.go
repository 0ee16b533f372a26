package sandbox

// Security is what a container may do, and as whom. The zero value is what the
// runtime does by itself.
type Security struct {
	// User is "uid" or "uid:gid", or a name of the image's; "" is the image's user. With a
	// gid the runtime adds no groups of the image's own.
	User string
	// Groups are further group ids.
	Groups []string
	// Privileged takes all limits off.
	Privileged bool
	// AddCapabilities and DropCapabilities change the runtime's default set, adding first:
	// names without CAP_, or ALL.
	AddCapabilities, DropCapabilities []string
	// NoNewPrivileges keeps programs from gaining any by set-uid bits and file capabilities.
	NoNewPrivileges bool
	ReadOnlyRoot    bool
	// Seccomp is the path of a profile, "unconfined", or "" for the runtime's own.
	Seccomp string
	// AppArmor is a profile's name, "unconfined", or "" for the runtime's own.
	AppArmor string
	// SELinux are options of the label such as "level:s0:c1,c2".
	SELinux []string
	// UnmaskProc shows all of /proc.
	UnmaskProc bool
}

// Namespaces are what a pod shares, with the host or among its containers.
type Namespaces struct {
	HostPID, HostIPC bool
	// SharedPID gives the pod's containers one process namespace.
	SharedPID bool
	// Users is the first host id that the pod's ids are mapped to; 0 if they are the host's own.
	Users uint32
	// Sysctls are kernel parameters of the pod's namespaces.
	Sysctls map[string]string
}

// UserRange is how many ids a pod with users of its own has.
const UserRange = 65536

// ImageUser is what an image says about its user.
type ImageUser struct {
	// ID is the image's.
	ID string
	// User is as the image has it: "", "1000", "app", "app:staff".
	User string
}

// Credential is who to be at a registry; the zero value is nobody.
type Credential struct{ Username, Password string }

// Accounts are an image's files of users and groups; nil where it has none.
type Accounts struct {
	Passwd, Group []byte
}
