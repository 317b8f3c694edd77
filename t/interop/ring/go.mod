module dfpreheat/ring

go 1.19

require stathat.com/c/consistent v1.0.0
