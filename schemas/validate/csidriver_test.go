package validate_test

import (
	"strings"
	"testing"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

func TestCSIDriver(t *testing.T) {
	good := func(change func(*storagev1.CSIDriver)) *storagev1.CSIDriver {
		d := &storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: "Disk.example.com"}}
		defaults.CSIDriver(d)
		change(d)
		return d
	}
	for name, c := range map[string]struct {
		change func(*storagev1.CSIDriver)
		want   []fault
	}{
		"good":    {func(*storagev1.CSIDriver) {}, nil},
		"no name": {func(d *storagev1.CSIDriver) { d.Name = "" }, one(required, "metadata.name", "")},
		"name":    {func(d *storagev1.CSIDriver) { d.Name = "a_b" }, one(invalid, "metadata.name", "RFC 1123")},
		"long":    {func(d *storagev1.CSIDriver) { d.Name = strings.Repeat("a", 64) }, one(tooLong, "metadata.name", "63")},
		"nothing": {func(d *storagev1.CSIDriver) { d.Spec = storagev1.CSIDriverSpec{} }, []fault{{required, "spec.attachedRequired", ""},
			{required, "spec.podInfoOnMount", ""}, {required, "spec.storageCapacity", ""}, {required, "spec.seLinuxMount", ""}}},
		"policy": {func(d *storagev1.CSIDriver) { d.Spec.FSGroupPolicy = new(storagev1.FSGroupPolicy("x")) }, one(unsupported, "spec.fsGroupPolicy", `"File"`)},
		"mode": {func(d *storagev1.CSIDriver) {
			d.Spec.VolumeLifecycleModes = []storagev1.VolumeLifecycleMode{"Ephemeral", "x"}
		},
			one(unsupported, "spec.volumeLifecycleModes", `"Persistent"`)},
		"tokens": {func(d *storagev1.CSIDriver) {
			d.Spec.TokenRequests = []storagev1.TokenRequest{{Audience: "a", ExpirationSeconds: new(int64(599))}, {Audience: "b", ExpirationSeconds: new(int64(1<<32 + 1))}, {Audience: "a"}}
		}, []fault{{invalid, "spec.tokenRequests[0].expirationSeconds", "less than 10 minutes"}, {invalid, "spec.tokenRequests[1].expirationSeconds", "2^32"},
			{duplicate, "spec.tokenRequests[2].audience", ""}}},
		"tokens in secrets": {func(d *storagev1.CSIDriver) { d.Spec.ServiceAccountTokenInSecrets = new(true) },
			one(invalid, "spec.serviceAccountTokenInSecrets", "no tokenRequests are specified")},
		"period": {func(d *storagev1.CSIDriver) { d.Spec.NodeAllocatableUpdatePeriodSeconds = new(int64(9)) },
			one(invalid, "spec.nodeAllocatableUpdatePeriodSeconds", "10 seconds")},
	} {
		t.Run(name, func(t *testing.T) { expect(t, validate.CSIDriver(good(c.change)), c.want...) })
	}
	was := good(func(d *storagev1.CSIDriver) { d.ResourceVersion = "1" })
	expect(t, validate.CSIDriverUpdate(good(func(d *storagev1.CSIDriver) {
		d.ResourceVersion, d.Spec.AttachRequired, d.Spec.VolumeLifecycleModes = "1", new(false), []storagev1.VolumeLifecycleMode{"Ephemeral"}
		d.Spec.PodInfoOnMount = new(true)
	}), was), fault{invalid, "spec.attachedRequired", "immutable"}, fault{invalid, "spec.volumeLifecycleModes", "immutable"})
}
