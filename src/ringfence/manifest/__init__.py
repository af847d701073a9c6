"""Documents to model values, as strictly as kube-apiserver reads them."""
